"""A figure's caption: where it stands, how it is numbered, and how the text and a notebook name it."""

import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag
from rendered_book import PNG, SUM, RenderedBook

from dlbook.record import Result

pytestmark = [pytest.mark.quick, pytest.mark.slow]

CAPTION = """
:::{caption} fig-one-point
One *point*, {result}`accuracy:.0%`.
:::

In {numref}`fig-one-point`.
"""


@pytest.fixture
def book(tmp_path) -> RenderedBook:
    book = RenderedBook(tmp_path)
    for name, caption in [("one", CAPTION), ("two", CAPTION.replace("one-point", "other-point"))]:
        book.write_chapter(name, "See {numref}`fig-other-point`.", behind=caption)
        figure = {"image/png": PNG, "text/plain": "Figure"}
        book.compute(name, {"accuracy": Result((0.5,))}, shown=[SUM, figure])
    return book


def article(book: RenderedBook, page: str) -> Tag:
    found = BeautifulSoup(book.page(page), "html.parser").select_one("article")
    assert found
    return found


def test_a_picture_and_its_caption_are_one_figure(book):
    assert book.build() == ""
    (figure,) = article(book, "one").select("figure")
    assert figure["id"] == "fig-one-point"
    assert len(figure.select("img")) == 1
    said = figure.select_one("figcaption")
    assert said
    assert " ".join(said.get_text().split()).startswith("Figure 1 One point, 50%.")
    assert said.select("em")


def test_figures_are_numbered_through_the_book_and_named_by_number(book):
    assert book.build() == ""
    for page in ("one", "two"):
        link = article(book, page).select_one('p a[href$="#fig-other-point"]')
        assert link
        assert link.get_text() == "Figure 2"


def test_a_notebook_says_the_number_and_the_caption_below_the_figure(book):
    assert book.build() == ""
    notebook = (book.folder / "_build" / "notebooks" / "two.ipynb").read_text()
    assert "**Figure 2.** One *point*, 50%." in notebook
    assert "In Figure 2." in notebook


def test_a_new_caption_executes_nothing(book):
    book.write_chapter("one", "See {numref}`fig-other-point`.", behind=CAPTION.replace("One", "Another"))
    assert book.build() == ""  # a page whose outputs are gone could not be executed here
    assert "Another" in article(book, "one").select("figcaption")[0].get_text()


def test_a_picture_of_another_page_has_a_caption_too(book):
    book.write("index", "# First page\n\n:::{page-figure} one\n:::\n\n:::{caption} fig-it\nOnce more.\n:::\n")
    assert book.build() == ""
    (figure,) = article(book, "index").select("figure")
    assert figure.select("img")


@pytest.mark.parametrize(
    ("behind", "problem"),
    [
        (
            "\nText.\n\n:::{caption} fig-lost\nX.\n:::\n",
            "no figure stands before the caption fig-lost",
        ),
        ("\n:::{caption} fig-two\nOne.\n\nTwo.\n:::\n", "a caption is one paragraph"),
        ("\n:::{caption} fig-none\n:::\n", "a caption is one paragraph"),
    ],
)
def test_what_is_no_caption_of_a_figure_is_said(book, behind, problem):
    book.write_chapter("one", "Prose.", behind=CAPTION + behind)
    assert problem in book.build()
