"""Show a chapter's figure on another page, such as on the chapter's card on the first page."""

from typing import ClassVar

from dlbook_results import skip_node
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

LOGGER = logging.getLogger(__name__)


class ChapterFigure(nodes.General, nodes.Element):
    """Where a figure goes once every chapter has been read."""


class ChapterFigureDirective(SphinxDirective):
    """``{chapter-figure} cnn/mnist-mlp`` with ``:number: 3``: the third figure of that chapter.

    The page that shows it must list the chapter in its table of contents, so that Sphinx writes the
    page again when the chapter changes. The first page does.
    """

    required_arguments = 1
    option_spec: ClassVar = {"number": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        placeholder = ChapterFigure(chapter=self.arguments[0], number=self.options.get("number", 1))
        self.set_source_info(placeholder)
        return [placeholder]


def fill_figures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the figures, with their alternative texts, where the placeholders are."""
    for placeholder in list(doctree.findall(ChapterFigure)):
        chapter, number = placeholder["chapter"], placeholder["number"]
        known = chapter in app.env.found_docs
        figures = list(app.env.get_doctree(chapter).findall(nodes.image)) if known else []
        if number <= len(figures):
            placeholder.replace_self(figures[number - 1].deepcopy())
            continue
        said = f"{chapter} has no figure {number}, only {len(figures)}"
        LOGGER.warning(said, location=placeholder, type="dlbook", subtype="figure")
        placeholder.parent.remove(placeholder)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_node(ChapterFigure, html=(skip_node, None))
    app.add_directive("chapter-figure", ChapterFigureDirective)
    app.connect("doctree-resolved", fill_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
