"""The site's own type, as a browser is given it: its characters, its names, its size and its license."""

from functools import partial
from pathlib import Path

import pytest
from bookbuild.render import fonts
from bs4 import BeautifulSoup
from conftest import ROOT
from fontTools.ttLib import TTFont
from rendered_book import RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]

FONTS = ("serif", "serif-italic", "serif-bold", "math")


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> RenderedBook:
    book = RenderedBook(tmp_path_factory.mktemp("book"))
    conf = book.source / "conf.py"
    conf.write_text(conf.read_text() + "bookbuild_fonts = True\n")
    book.write("index", "# First page\n\nThe Å of ½ in “quotes”, and $\\sqrt{x} \\in \\mathbb{R}$.\n")
    book.write("plain", "# Plain\n")
    assert book.build() == ""
    return book


def file(book: RenderedBook, name: str) -> Path:
    return book.folder / "_build" / "html" / "_static" / "fonts" / name


@pytest.mark.parametrize(
    ("name", "characters"),
    [("serif", "Aaz09Å½“"), ("serif-bold", "Å"), ("math", "x√∈ℝ\N{MATHEMATICAL ITALIC SMALL X}")],
)
def test_a_font_has_the_characters_of_the_pages_and_few_others(book, name, characters):
    held = TTFont(file(book, f"{name}.woff2")).getBestCmap()
    assert {ord(character) for character in characters} <= held.keys()
    assert len(held) < 250
    assert ord("Ж") not in held


def test_brackets_and_roots_of_formulas_grow(book):
    font = TTFont(file(book, "math.woff2"))
    grow = font["MATH"].table.MathVariants.VertGlyphCoverage.glyphs
    assert {font.getBestCmap()[ord(character)] for character in "(|√"} <= set(grow)


def test_the_fonts_are_small(book):
    assert sum(file(book, f"{name}.woff2").stat().st_size for name in FONTS) < 100_000


def test_the_license_stands_beside_them_and_its_reserved_name_is_not_theirs(book):
    text = file(book, "OFL.txt").read_text()
    assert "SIL OPEN FONT LICENSE" in text
    assert "Adobe" in text
    assert "STIX Fonts Project Authors" in text
    for name in ("serif", "serif-italic", "serif-bold"):
        names = TTFont(file(book, f"{name}.woff2"))["name"]
        called = {str(names.getDebugName(kind)) for kind in (1, 3, 4, 6, 16)}
        assert not [each for each in called if "Source" in each]


def test_a_page_asks_for_the_fonts_of_its_first_view_at_once(book):
    parsed = partial(BeautifulSoup, features="html.parser")
    preloaded = {page: parsed(book.page(page)).select("link[rel=preload]") for page in ("index", "plain")}
    names = {page: [Path(tag["href"]).name for tag in tags] for page, tags in preloaded.items()}
    text = ["serif.woff2", "serif-italic.woff2", "serif-bold.woff2"]
    assert names == {"index": [*text, "math.woff2"], "plain": text}
    # The largest file lets those of the text, the style sheets and the first picture go before it.
    assert [tag.get("fetchpriority") for tag in preloaded["index"]] == [None, None, None, "low"]


def test_the_style_sheet_names_the_files():
    style = (ROOT / "book" / "_static" / "type.css").read_text()
    assert all(f'url("fonts/{name}.woff2")' in style for name in FONTS)


def test_a_new_character_is_added_by_the_next_build(book):
    book.write("plain", "# Plain\n\nIt costs 5 £.\n")
    assert book.build() == ""
    assert ord("£") in TTFont(file(book, "serif.woff2")).getBestCmap()


def test_a_font_that_earlier_code_has_cut_is_cut_anew(book, monkeypatch):
    monkeypatch.setattr(fonts, "MARK", "later")
    assert book.build() == ""
    assert TTFont(file(book, "math.woff2"))["name"].getDebugName(3).endswith(" later")


@pytest.mark.parametrize("size", [0, 1000])
def test_a_font_that_was_cut_off_is_cut_anew(book, size):
    path = file(book, "serif.woff2")
    characters = TTFont(path).getBestCmap().keys()
    path.write_bytes(path.read_bytes()[:size])
    assert book.build() == ""
    assert TTFont(path).getBestCmap().keys() == characters
