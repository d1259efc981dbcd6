"""Mend what the theme and its extensions leave wrong in every page."""

import functools
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from bookbuild.repository import commit


def drop_repeated_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load each script once: sphinx-thebe's stands twice in a page, and the second time is an error.

    Sphinx itself drops twins, but takes those without a file for different: one has the name None,
    the other an empty one.
    """
    unique: dict[tuple[str, str], Any] = {}
    for script in context.get("script_files", []):
        unique.setdefault((script.filename or "", repr(script.attributes)), script)
    context["script_files"] = list(unique.values())


def name_commit(app: Sphinx, config: Config) -> None:
    """Say in each page's foot from which commit it was built; the outputs can be older, and say so."""
    at = head(Path(app.srcdir).parent)
    if at:
        foot = f"<p>Built from commit <code>{at[:12]}</code>.</p>"
        config.html_theme_options["extra_footer"] = config.html_theme_options.get("extra_footer", "") + foot


def stamp_commit(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the commit into the page's head, where a program can read it."""
    context["metatags"] = context.get("metatags", "") + (
        f'<meta name="dlbook-commit" content="{head(Path(app.srcdir).parent)}" />\n'
    )


head = functools.cache(commit)  # asked for in every page
