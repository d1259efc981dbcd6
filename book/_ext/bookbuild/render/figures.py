"""Show a page's figure on another page, such as on the page's card on the first page."""

from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from bookbuild.render.placeholders import Placeholder, Rendering, UnknownError


class PageFigure(nodes.General, Placeholder):
    """A figure of another page, with its alternative text: the attributes' ``page`` and ``number``."""

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return a copy of the figure."""
        page, number = self["page"], self["number"]
        known = page in rendering.app.env.all_docs
        figures = list(rendering.app.env.get_doctree(page).findall(nodes.image)) if known else []
        if number > len(figures):
            raise UnknownError(f"{page} has no figure {number}, only {len(figures)}")
        return [figures[number - 1].deepcopy()]


class PageFigureDirective(SphinxDirective):
    """``{page-figure} cnn/mnist-mlp`` with ``:number: 3``: the third figure of that page."""

    required_arguments = 1
    option_spec: ClassVar = {"number": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        placeholder = PageFigure(page=self.arguments[0], number=self.options.get("number", 1))
        self.set_source_info(placeholder)
        return [placeholder]
