"""The whole book as an EPUB, for e-readers and for phones without a network: Sphinx's own, in plain form.

A reader of EPUBs runs no scripts, knows few styles, and reads XHTML, in which nothing may be left open.
"""

import html
import os
import re
import shutil
import uuid
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.builders.epub3 import Epub3Builder
from sphinx.util import logging
from sphinx_design.dropdown import dropdown_main

from bookbuild.book import Book
from bookbuild.render import assets, pictures
from bookbuild.render.furniture import head
from bookbuild.render.paper import PdfLinkDirective
from bookbuild.render.sharing import CARD
from bookbuild.repository import site_address
from dlbook.data.files import draft

LOGGER = logging.getLogger(__name__)
FILE = "deep-learning-concepts.epub"  # in the site
FOLDER = "epub"  # beside the site, where Sphinx writes it
STYLES = {"pygments.css", "epub.css", "reader.css"}  # the others are for the site
MATHML = "http://www.w3.org/1998/Math/MathML"
# XML itself knows these five; the others are HTML's.
ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z]\w*;")
# An EPUB's MathML is of version 3, in which a page's browser may choose the size of these by itself.
STYLED = re.compile(
    r'(<m(?:frac|row)[^>]*?) displaystyle="\w+"(?: scriptlevel="\w+")?|(<mtable[^>]*?) scriptlevel="\w+"'
)
ITEM = re.compile(r'(<item id="(?P<name>[^"]*)" href="(?P<file>[^"]*)"[^>]*?)( />)')


class EpubLinkDirective(PdfLinkDirective):
    """``{epub-link}``: what it contains stands in the page if there is the book as an EPUB, too."""

    setting: ClassVar = "bookbuild_epub"


class BookEpubBuilder(Epub3Builder):
    """Sphinx's own, with the chapters' numbers in the table of contents, and all that a checker asks for."""

    def init(self) -> None:
        """Say of each page what language it is in."""
        super().init()
        language = self.config.epub_language
        self.html_tag = self.html_tag.replace(">", f' lang="{language}" xml:lang="{language}">')

    def get_refnodes(self, doctree: nodes.Node, result: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the entries of the table of contents: Sphinx leaves their numbers to who writes a page."""
        before = len(result)
        result = super().get_refnodes(doctree, result)
        if isinstance(doctree, nodes.reference) and doctree.get("secnumber") and len(result) > before:
            result[-1]["text"] = f"{'.'.join(map(str, doctree['secnumber']))}. {result[-1]['text']}"
        return result

    def handle_finish(self) -> None:
        """Pack what the pages use, and nothing else."""
        covers = {Path(self.outdir, file) for file in self.config.epub_cover[:1]}
        for path in set(assets.unused(Path(self.outdir))) - covers:
            path.unlink()
        super().handle_finish()

    def build_content(self) -> None:
        """Write the list of all files, which says which pages have formulas, and which file is the cover."""
        super().build_content()
        listed = Path(self.outdir, "content.opf")
        listed.write_text(ITEM.sub(self._described, listed.read_text(encoding="utf-8")), encoding="utf-8")

    def toc_metadata(self, level: int, navpoints: list[Any]) -> dict[str, Any]:
        """Return what the contents for older readers say: the book's identifier there is the same."""
        return super().toc_metadata(level, navpoints) | {"uid": self.config.epub_identifier}

    def _described(self, item: re.Match[str]) -> str:
        path = Path(self.outdir, item["file"])
        if item["file"] in self.config.epub_cover:
            return f'{item[1]} properties="cover-image"{item[4]}'
        has_formulas = path.suffix == self.out_suffix and f'xmlns="{MATHML}"' in path.read_text("utf-8")
        return f'{item[1]} properties="mathml"{item[4]}' if has_formulas else item[0]


def name(app: Sphinx) -> None:
    """Tell Sphinx what the book is called, and how others find out that two files are the same book."""
    root = Path(app.srcdir).parent
    address = site_address(root) or app.config.html_title
    app.config.epub_basename = Path(FILE).stem
    app.config.epub_title = app.config.html_title
    app.config.epub_identifier = uuid.uuid5(uuid.NAMESPACE_URL, address).urn
    app.config.epub_cover = (CARD, "") if Path(app.srcdir, CARD).exists() else ()
    app.config.version = head(root)[:12] or "unknown"


def made(app: Sphinx) -> str:
    """Return the path of the EPUB that the site offers: if ``DLBOOK_EPUB`` asks for it and it is there."""
    path = Path(app.outdir).parent / FOLDER / FILE
    return str(path) if os.environ.get("DLBOOK_EPUB") and path.exists() else ""


def adapt(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Open what is folded, as nothing can be pressed; a figure's own code is left out, as on paper.

    Cells of tables become plain lines.
    """
    for cell in [each for each in doctree.findall(nodes.container) if each.get("nb_element") == "cell_code"]:
        for hidden in [child for child in cell if isinstance(child, HideCodeCellNode)]:
            cell.replace(hidden, [] if "tag_hide-input" in cell["classes"] else hidden.children)
    for folded in list(doctree.findall(dropdown_main)):
        summary, content = folded.children
        (text,) = (part for part in summary if "sd-summary-text" in part.get("classes", []))
        title = nodes.title("", "", *text.children)
        folded.parent.replace(folded, nodes.admonition("", title, *content.children, ids=folded["ids"]))
    # MuPDF, and what is made of it, lays the paragraphs of a row over one another.
    for cell in doctree.findall(nodes.entry):
        if len(cell) == 1 and isinstance(cell[0], nodes.paragraph):
            cell.replace(cell[0], nodes.inline("", "", *cell[0].children))
    pictures.make_plain(app, doctree, docname)


def dress(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let a page be XML, and have the styles of an e-reader."""
    body = ENTITY.sub(lambda entity: html.unescape(entity[0]), context.get("body", ""))
    context["body"] = STYLED.sub(r"\1\2", body).replace("<math", f'<math xmlns="{MATHML}"')
    context["css_files"] = [each for each in context["css_files"] if Path(each.filename).name in STYLES]


def publish(app: Sphinx, book: Book) -> None:
    """Put the EPUB into the site, if it was asked for and made; else remove an earlier build's."""
    target = book.html / FILE
    if app.config.bookbuild_epub:
        with draft(target) as written:
            shutil.copy(app.config.bookbuild_epub, written)
        return
    target.unlink(missing_ok=True)
    if os.environ.get("DLBOOK_EPUB"):
        LOGGER.info("no EPUB is offered: there is none in %s; `make book EPUB=1` makes it", FOLDER)
