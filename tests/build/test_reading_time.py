"""How long a chapter takes to read, said below its title."""

import pytest
from bs4 import BeautifulSoup
from rendered_book import RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]


@pytest.mark.parametrize(("words", "time"), [(10, "1 minute"), (2_200, "10 minutes")])
def test_a_chapter_says_how_long_it_takes_to_read(tmp_path, words, time):
    book = RenderedBook(tmp_path)
    book.write_chapter("one", " ".join(["word"] * words))
    book.compute("one", {})
    assert book.build() == ""
    title = BeautifulSoup(book.page("one"), "html.parser").select_one("article h1")
    assert title
    assert title.find_next("p").get_text() == f"About {time} to read"


def test_a_page_without_cells_says_nothing(tmp_path):
    book = RenderedBook(tmp_path)
    book.write("two", "# Two\n\nProse.\n")
    assert book.build() == ""
    assert "to read" not in book.page("two")
