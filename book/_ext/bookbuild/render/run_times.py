"""The table of the Run times page: what each chapter took, where, when, and whether it ran in this build."""

import datetime
from typing import Any

from dlbook_plan import origins
from dlbook_results import Cell, chapter_link, chapter_results, reading_order, skip_node, table_node
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

HEADER = ("chapter", "seconds", "device", "peak memory", "computed (UTC)", "in this build")
# Which documents hold the table is kept in the environment, and survives between builds.
_PAGES = "dlbook_run_times_pages"


class RunTimes(nodes.General, nodes.Element):
    """Where the table goes once every chapter has been read."""


class RunTimesDirective(SphinxDirective):
    """``{run-times}``: what each chapter took."""

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder and remember the page."""
        _pages(self.env).add(self.env.docname)
        return [RunTimes()]


def _pages(env: BuildEnvironment) -> set[str]:
    if not hasattr(env, _PAGES):
        setattr(env, _PAGES, set())
    return getattr(env, _PAGES)


def pages_to_refresh(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the table again in every build: what came from the cache differs from build to build."""
    return sorted(_pages(env) & env.found_docs)


def fill_tables(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table where the placeholders are."""
    for placeholder in list(doctree.findall(RunTimes)):
        rows = []
        for chapter in reading_order(app.env):
            execution = NbMetadataCollector.get_exec_data(app.env, chapter)
            if execution:
                link = chapter_link(app, docname, chapter)
                rows.append([link, *_facts(app, chapter, dict(execution))])
        placeholder.replace_self(table_node(HEADER, rows))


def _facts(app: Sphinx, chapter: str, execution: dict[str, Any]) -> list[Cell]:
    """Return the cells beside the chapter's title; a chapter without results knows less of itself."""
    provenance = chapter_results(app, chapter).get("provenance", {})
    device = "{device_name} ({device})".format(**provenance) if provenance else "–"
    memory = provenance.get("peak_memory", 0)
    cached = datetime.datetime.fromtimestamp(execution["mtime"], datetime.UTC).isoformat()
    return [
        f"{execution['runtime']:,.1f}" if execution["runtime"] else "–",
        device,
        f"{memory / 1e9:.2f} GB" if memory else "–",
        provenance.get("executed", cached)[:16].replace("T", " "),
        origin_text(app.env, chapter, execution["succeeded"]),
    ]


def origin_text(env: BuildEnvironment, chapter: str, succeeded: bool) -> str:
    """Say whether a chapter's outputs are new, or where they come from."""
    if not succeeded:
        return "failed"
    if chapter in origins(env)["executed"]:
        return "executed"
    return "another machine's cache" if chapter in origins(env)["elsewhere"] else "cache"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_node(RunTimes, html=(skip_node, None))
    app.add_directive("run-times", RunTimesDirective)
    app.connect("env-updated", pages_to_refresh)
    app.connect("doctree-resolved", fill_tables)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
