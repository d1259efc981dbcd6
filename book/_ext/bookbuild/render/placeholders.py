"""What is filled in when all pages are executed: numbers, tables, another page's figure.

A role or a directive leaves a placeholder when a page is read. It is filled whenever the page is written, so
that what a page shows of others is never older than they are, and no state is kept between builds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from bookbuild.book import Book, Page

LOGGER = logging.getLogger(__name__)
RESULT = re.compile(
    r"(?:(?P<page>[\w/-]+)::)?(?P<name>\w+)(?:\.(?P<part>mean|std|n|min|max))?(?::(?P<form>.+))?"
)


class UnknownError(LookupError):
    """A placeholder asks for what is not there; the message says what."""


@dataclass(frozen=True)
class Rendering:
    """A page that is being written.

    Attributes:
        app: Sphinx.
        book: with the outputs of its pages.
        docname: of the page that is being written.
    """

    app: Sphinx
    book: Book
    docname: str

    def page(self, docname: str = "") -> Page:
        """Return a page with outputs; without a name, the page that is being written.

        Raises:
            UnknownError: there is no such page, or it was not executed.
        """
        page = self.book.pages.get(docname or self.docname)
        if page is None or page.outputs is None:
            raise UnknownError(f"no page {docname or self.docname} was executed")
        return page

    def chapters(self) -> list[Page]:
        """Return all pages with outputs, in the order of the table of contents."""
        return [page for page in self.book.pages.values() if page.outputs]


class Placeholder(nodes.Element):
    """Where something goes; its subclasses say what."""

    # Whether it shows other pages, and so must be filled again when they change.
    shows_others: ClassVar[bool] = False

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return what takes this node's place.

        Raises:
            UnknownError: what it should show is not there.
        """
        raise UnknownError("nothing goes here")


def fill_all(rendering: Rendering, doctree: nodes.document) -> None:
    """Fill a page's placeholders; one that cannot be filled is named in a warning, and left out."""
    for placeholder in list(doctree.findall(Placeholder)):
        try:
            placeholder.replace_self(placeholder.fill(rendering))
        except (UnknownError, ValueError) as problem:
            LOGGER.warning(str(problem), location=placeholder, type="bookbuild", subtype="missing")
            placeholder.parent.remove(placeholder)


def pages_that_show_others(env: BuildEnvironment) -> Iterator[str]:
    """Yield the pages with placeholders for what other pages computed."""
    for docname in env.found_docs & env.all_docs.keys():
        found = env.get_doctree(docname).findall(Placeholder)
        if any(placeholder.shows_others or placeholder.get("page") for placeholder in found):
            yield docname


def read_result_reference(content: str) -> dict[str, str]:
    """Return ``page``, ``name``, ``part`` and ``form`` of what the role `result` is given.

    Raises:
        ValueError: it is not written as ``page::name.part:form``; all but the name may be left out.
    """
    found = RESULT.fullmatch(content.strip())
    if found is None:
        raise ValueError(f"not a result: {content!r}; write name, name:.2%, name.std:.2% or page::name:.2%")
    return {key: value or "" for key, value in found.groupdict().items()}


def skip_node(translator: Any, node: nodes.Node) -> None:
    """Meet no placeholder in any builder: each is replaced before writing."""
    raise nodes.SkipNode
