"""The whole book as a PDF, where that is asked for."""

import pytest
from browsing import CHROMIUM
from pypdf import PdfReader
from rendered_book import PNG, RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]

LINK = "# First page\n\n:::{pdf-link}\nThe book as [a PDF](https://example.org).\n:::\n"


@pytest.fixture
def book(tmp_path) -> RenderedBook:
    book = RenderedBook(tmp_path)
    book.write("index", LINK)
    book.write_chapter("one", "Prose.")
    book.compute("one", {}, shown=[{"image/png": PNG}])
    return book


def pdf(book: RenderedBook):
    return book.folder / "_build" / "html" / "deep-learning-concepts.pdf"


def test_the_pages_are_printed_in_their_order_and_the_first_offers_that(book, monkeypatch):
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH: install Debian's `chromium`")
    monkeypatch.setenv("DLBOOK_PDF", "1")
    assert book.build() == ""
    printed = PdfReader(pdf(book))
    assert [part.title for part in printed.outline] == ["First page", "Chapter one"]
    first, second = (page.extract_text() for page in printed.pages)
    assert "The book as a PDF" in first
    assert "Prose." in second
    assert len(printed.pages[1].images) == 1
    assert "Search" not in first + second


def test_without_being_asked_for_there_is_none_and_none_is_offered(book, monkeypatch):
    monkeypatch.delenv("DLBOOK_PDF", raising=False)
    html = book.folder / "_build" / "html"
    html.mkdir(parents=True)
    pdf(book).write_text("of an earlier build")
    assert book.build() == ""
    assert not pdf(book).exists()
    assert "a PDF" not in book.page("index")


def test_without_a_browser_the_site_is_built_and_offers_none(book, monkeypatch, tmp_path):
    monkeypatch.setenv("DLBOOK_PDF", "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert book.build() == ""
    assert not pdf(book).exists()
    assert "a PDF" not in book.page("index")
