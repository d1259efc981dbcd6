"""Small things on every page: its commit, how long it takes to read, what a screen reader calls its parts."""

import functools
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from bookbuild.repository import commit

# What docutils and MyST-NB write → what stands in the page instead.
SAID = {
    'role="doc-biblioentry"': 'role="listitem"',  # no longer in use, and no child of a list
    ' aria-label="Toggle hidden content"': "",  # which hides what the switch says: Show the solution
}

WORDS_A_MINUTE = 220  # of a text from which one learns


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


def name_parts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let a screen reader say what is written: other packages name these parts in ways that it cannot use."""
    for said, instead in SAID.items():
        context["body"] = context.get("body", "").replace(said, instead)


def add_reading_time(doctree: nodes.document) -> None:
    """Say below a chapter's title how long its text takes to read; code is not counted."""
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is not None:
        words = sum(len(paragraph.astext().split()) for paragraph in doctree.findall(nodes.paragraph))
        minutes = max(1, round(words / WORDS_A_MINUTE))
        text = f"About {minutes} minute{'s' if minutes > 1 else ''} to read"
        line = nodes.container("", nodes.paragraph(text=text), classes=["reading-time"])
        title.parent.insert(title.parent.index(title) + 1, line)


head = functools.cache(commit)  # asked for in every page
