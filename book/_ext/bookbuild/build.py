"""One build of the site: what happens at each of Sphinx's events, in the order of `bookbuild.setup`."""

import os
from pathlib import Path
from typing import Any

from docutils import nodes
from filelock import FileLock
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

from bookbuild import summary
from bookbuild.book import Book, BookError
from bookbuild.promises import PromiseError
from bookbuild.render import epub, furniture, launch, paper, placeholders, playgrounds, results, sharing
from bookbuild.run.cache import ExecutionCache, lock
from bookbuild.run.execute import execute
from bookbuild.run.keys import changes, with_fingerprint

LOGGER = logging.getLogger(__name__)
# What follows from pages that are not there yet, in a build of chosen pages only.
CONSEQUENCES = ("bookbuild.missing", "ref.eq", "ref.numref", "ref.ref", "myst.xref_missing")
# What is read in the place of a page that no build has executed. To Sphinx it is a page like any other: links
# lead to it, and the pages below it have their place and their numbers.
UNEXECUTED = """\
---
unexecuted: true
---

# {title}

This page was not among those that were asked for, so this build has no outputs of it: `make book` makes them.
"""


class Build:
    """The book and its outputs, between Sphinx's events."""

    book: Book
    guard: FileLock | None = None

    def suppress_consequences(self, app: Sphinx, config: Config) -> None:
        """Where chosen pages are built, do not warn of what the others would have brought."""
        if os.environ.get("DLBOOK_CHAPTERS", "").strip():
            config.suppress_warnings = [*config.suppress_warnings, *CONSEQUENCES]

    def wait(self, app: Sphinx, config: Config) -> None:
        """Wait for any other build in the folder, before Sphinx loads what that one has read."""
        self.guard = lock(Path(app.outdir).parent)

    def execute(self, app: Sphinx) -> None:
        """Execute what is missing, before anything is read."""
        try:
            self.book = Book.of(app)
            cache = ExecutionCache(self.book.cache_folder)
            cache.drop_damaged()
            execute(self.book, cache)
        except (BookError, PromiseError) as error:
            self.finish(app, error)
            LOGGER.error("%s", error)
            raise ExtensionError(str(error)) from None
        except BaseException as error:
            self.finish(app, error)
            raise

    def outdated(
        self, app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
    ) -> list[str]:
        """Return the pages whose outputs are others than when they were read, and say why."""
        stale = []
        for docname, page in self.book.notebooks.items():
            kernel = env.metadata.get(docname, {}).get("kernelspec")
            if page.outputs and is_unexecuted(env, docname):
                stale.append(docname)
            if page.outputs is None or not isinstance(kernel, dict):
                continue
            reasons = changes(kernel["fingerprint"], page.fingerprint)
            if reasons:
                LOGGER.info("%s was computed with other code or data: %s", docname, ", ".join(reasons))
            if reasons or page.outputs.is_new:
                stale.append(docname)
        return stale

    def leave_unexecuted(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Keep the pages of an earlier build whose execution was not asked for.

        A later build finds them changed still.
        """
        for docname in docnames.copy():
            page = self.book.notebooks.get(docname)
            if page and page.outputs is None and docname in env.all_docs:
                docnames.remove(docname)

    def mark(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Write the fingerprint into the source that myst-nb reads: it finds the outputs by it.

        Without outputs, and without a page of an earlier build, there is only the title to show.
        """
        page = self.book.notebooks.get(docname)
        if page and page.outputs:
            source[0] = with_fingerprint(page, page.fingerprint)
        elif page:
            source[0] = UNEXECUTED.format(title=page.title)

    def refresh(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Write the pages again that show others."""
        return sorted(placeholders.pages_that_show_others(env))

    def fill(self, app: Sphinx, doctree: nodes.document, docname: str) -> None:
        """Put numbers and tables where their placeholders are."""
        rendering = placeholders.Rendering(app, self.book, docname)
        placeholders.fill_all(rendering, doctree)
        results.add_provenance(rendering, doctree)
        if docname in self.book.notebooks and not is_unexecuted(app.env, docname):
            furniture.add_reading_time(doctree)

    def add_buttons(
        self, app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
    ) -> None:
        """Let readers launch a page."""
        launch.add_buttons(self.book.pages.get(page), self.book.root, context)

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write what goes beside the pages: notebooks, results, saved files, playgrounds, a map."""
        if exception is None:
            launch.write_notebooks(app, self.book)
            summary.write(self.book)
            playgrounds.publish(app, self.book)
            sharing.write_map(app, self.book)
            epub.publish(app, self.book)

    def print(self, app: Sphinx, exception: Exception | None) -> None:
        """Print the book as a PDF, if that was asked for."""
        if exception is None:
            paper.write(app, self.book)

    def finish(self, app: Sphinx, exception: BaseException | None) -> None:
        """Let the next build begin."""
        if self.guard:
            self.guard.release()


def is_unexecuted(env: BuildEnvironment, docname: str) -> bool:
    """Tell whether `UNEXECUTED` was read in the place of a page."""
    return "unexecuted" in env.metadata.get(docname, {})
