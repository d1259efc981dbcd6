"""Mend what the theme and its extensions leave wrong in every page."""

import functools
import subprocess
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config


def drop_repeated_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Load each script once: sphinx-thebe's stands twice in a page, and the second time is an error.

    Sphinx itself drops twins, but takes those without a file for different: one has the name None,
    the other an empty one.
    """
    scripts = context.get("script_files", [])
    unique = {(script.filename or "", repr(script.attributes)): script for script in reversed(scripts)}
    context["script_files"] = list(reversed(unique.values()))


def name_commit(app: Sphinx, config: Config) -> None:
    """Say in each page's foot from which commit it was built; the outputs can be older, and say so."""
    commit = head(Path(app.srcdir))
    if commit:
        foot = f"<p>Built from commit <code>{commit[:12]}</code>.</p>"
        config.html_theme_options["extra_footer"] = config.html_theme_options.get("extra_footer", "") + foot


def stamp_commit(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the commit into the page's head, where a program can read it."""
    context["metatags"] = context.get("metatags", "") + (
        f'<meta name="dlbook-commit" content="{head(Path(app.srcdir))}" />\n'
    )


@functools.cache
def head(folder: Path) -> str:
    """Return the commit that a folder's checkout is at; an empty text outside of one."""
    asked = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
