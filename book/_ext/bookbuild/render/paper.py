"""The whole book as one PDF, printed from the site by Chromium: what a reader sees who prints each page."""

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookbuild.book import Book
from bookbuild.loopback import served
from dlbook.data.files import draft

if TYPE_CHECKING:
    from pypdf import PdfWriter

LOGGER = logging.getLogger(__name__)
FILE = "deep-learning-concepts.pdf"  # in the site
QUALITY = 85  # of 100: no difference from the site's own pictures is seen on paper
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 300_000  # milliseconds for a page: far from any real machine
NUMBER = (
    '<p style="width: 100%; text-align: center; font: 9px sans-serif"><span class="pageNumber"></span></p>'
)


class PdfLinkDirective(SphinxDirective):
    """``{pdf-link}``: what it contains stands in the page if the build writes the book as a PDF, too."""

    has_content = True
    setting: ClassVar = "bookbuild_pdf"

    def run(self) -> list[nodes.Node]:
        """Return the content, or nothing."""
        return self.parse_content_to_nodes() if self.config[self.setting] else []


def browser() -> str:
    """Return what prints: a browser, if ``DLBOOK_PDF`` asks for a PDF and there is one; else nothing."""
    return chromium() or "" if os.environ.get("DLBOOK_PDF") else ""


def chromium() -> str | None:
    """Return the path of this machine's Chromium, or None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def write(app: Sphinx, book: Book) -> None:
    """Print all pages in the order of the table of contents, if it was asked for and there is a browser."""
    target = book.html / FILE
    if not app.config.bookbuild_pdf:
        target.unlink(missing_ok=True)
        if os.environ.get("DLBOOK_PDF"):
            LOGGER.info("no PDF was written: none of %s is on PATH to print it", ", ".join(BROWSERS))
        return
    titles = {page: app.env.titles[page].astext() for page in book.pages if page in app.env.titles}
    with tempfile.TemporaryDirectory() as folder, served(book.html) as address:
        sheets = {page: Path(folder, f"{number}.pdf") for number, page in enumerate(titles)}
        pages = {f"{address}/{page}.html": path for page, path in sheets.items()}
        # In a thread of its own: Playwright works in none where a loop runs, and whoever builds may have one.
        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(_print, app.config.bookbuild_pdf, pages).result()
        _join({titles[page]: path for page, path in sheets.items()}, target)


def _print(browser: str, sheets: dict[str, Path]) -> None:
    from playwright.sync_api import sync_playwright  # only here: it is no part of other builds

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(bypass_csp=True)  # whose waiting it forbids
        page.set_default_timeout(PATIENCE)
        for address, path in sheets.items():
            page.goto(address, wait_until="load")
            page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager'; })")
            page.wait_for_function("[...document.images].every(image => image.complete)")
            page.pdf(
                path=path,
                format="A4",
                margin={"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"},
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=NUMBER,
                tagged=True,
            )
        chromium.close()


def _pack(writer: "PdfWriter") -> None:
    """Make the file smaller: Chromium stores each picture as its pixels, and each page's fonts anew."""
    packed = set()
    for page in writer.pages:
        for picture in page.images:
            reference = picture.indirect_reference
            if reference and picture.image and reference.idnum not in packed:
                packed.add(reference.idnum)
                picture.replace(picture.image.convert("RGB"), quality=QUALITY)
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)


def _join(sheets: dict[str, Path], target: Path) -> None:
    from pypdf import PdfWriter

    writer = PdfWriter()
    for title, path in sheets.items():
        writer.append(str(path), outline_item=title)
    _pack(writer)
    with draft(target) as written:
        writer.write(written)
