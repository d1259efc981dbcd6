"""One style sheet for the site: what a page needs is in it, what none needs is not, and a change is seen."""

import re
from pathlib import Path

import pydata_sphinx_theme
import pytest
import tinycss2
from bookbuild.loopback import served
from bookbuild.render.styles import SHEET, needed
from browsing import open_page
from bs4 import BeautifulSoup
from rendered_book import RenderedBook
from sphinx.errors import ExtensionError

pytestmark = pytest.mark.quick

# Those selectors that match something, whatever state they also ask for, such as `:hover`.
MATCHING = """all => all.filter(each => {
    try { return document.querySelector(each.replace(/::?[a-z-]+(\\([^)]*\\))?/g, "") || "*") }
    catch { return false }
})"""
TWO = "#two { color: red }\n"
ONE = """\
@charset "utf-8";
@import "../two.css";
.used, .unused { background: url(picture.png) /* a remark */ }
.used .unused { color: blue }
a:not(.unused) { color: green }
.wide\\/half { mask: url("data:image/svg+xml,url(x)"), url(#x), url(/x.svg) }
@media print { .used { color: black } .unused { color: white } }
@media screen { .unused { color: white } }
@keyframes turn { to { rotate: 1turn } }
"""


@pytest.fixture
def sheets(tmp_path) -> Path:
    (tmp_path / "two.css").write_text(TWO)
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "one.css").write_text(ONE)
    return tmp_path


def test_rules_that_something_can_need_stay_in_their_order_and_no_others(sheets):
    found = [line.split("{", 1) for line in needed(sheets, "styles/one.css", {"used", "two", "wide/half"})]
    assert [selector.strip() for selector, _ in found] == [
        "#two",
        ".used",
        "a:not(.unused)",
        ".wide\\/half",
        "@media print",
        "@keyframes turn",
    ]
    kept = dict(found)
    assert 'url("styles/picture.png")' in kept[".used"]
    assert 'url("data:image/svg+xml,url(x)"), url(#x), url(/x.svg)' in kept[".wide\\/half"]
    assert "white" not in kept["@media print "]
    assert "remark" not in kept[".used"]


def test_a_sheet_that_is_not_there_is_named_but_for_that_of_no_playgrounds(sheets):
    assert list(needed(sheets, "playgrounds/0/playgrounds.css", set())) == []
    with pytest.raises(ExtensionError, match=r"no style sheet styles/absent\.css"):
        list(needed(sheets, "styles/absent.css", set()))


@pytest.mark.parametrize(
    "said", ['"two.css" print', '"https://x.org/a.css"', 'url("//x.org/a")', "two", "", "url()"]
)
def test_what_cannot_be_joined_is_named(sheets, said):
    (sheets / "one.css").write_text(f"@import {said};")
    with pytest.raises(ExtensionError, match="cannot be joined"):
        list(needed(sheets, "one.css", {"two"}))


@pytest.mark.parametrize("said", ['"../two.css"', "url(../two.css)", 'url("../two.css")'])
def test_a_sheet_is_imported_in_any_way(sheets, said):
    (sheets / "styles" / "three.css").write_text(f"@import {said};")
    assert list(needed(sheets, "styles/three.css", {"two"})) == ["#two{color: red}\n"]


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> RenderedBook:
    book = RenderedBook(tmp_path_factory.mktemp("book"))
    book.write("index", "# First page\n\n```python\n1 + 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    book.write("cards", "# Cards\n\n::::{card} One\n:link: index\n:link-type: doc\nText.\n::::\n")
    assert book.build() == ""
    return book


def site(book: RenderedBook) -> Path:
    return book.folder / "_build" / "html"


def selectors(sheet: str) -> set[str]:
    """Return the selectors of a sheet's rules that stand in no other rule."""
    rules = tinycss2.parse_rule_list(sheet, skip_comments=True, skip_whitespace=True)
    preludes = [tinycss2.serialize(rule.prelude) for rule in rules if rule.type == "qualified-rule"]
    return {each.strip() for prelude in preludes for each in re.split(r",(?![^(]*\))", prelude)}


@pytest.mark.slow
def test_no_rule_of_the_theme_is_missing_that_would_match_something(book, browser):
    """A browser is asked, which knows every kind of selector, for what scripts make in a page, too."""
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static" / "styles"
    whole = selectors((theme / "pydata-sphinx-theme.css").read_text())
    kept = selectors((site(book) / "_static" / SHEET).read_text())
    left_out = [each for each in sorted(whole - kept) if re.search(r"[.#]\w", each)]
    assert len(left_out) > len(whole) / 3
    with served(site(book)) as address:
        for name in ("index", "cards", "search"):
            page, _ = open_page(browser, f"{address}/{name}.html")
            page.locator("[data-bs-toggle=tooltip]:visible").first.hover()
            page.locator(".tooltip").wait_for()
            assert page.evaluate(MATCHING, left_out) == []
            page.context.close()


def test_each_page_names_the_sheet_with_its_checksum_and_no_other(book):
    addresses = set()
    for path in site(book).rglob("*.html"):
        links = BeautifulSoup(path.read_text(), "html.parser").select("link[rel=stylesheet]")
        addresses |= {str(link["href"]).rpartition("/")[2] for link in links}
    (address,) = addresses
    assert re.fullmatch(rf"{SHEET}\?v=[0-9a-f]{{8}}", address)
    assert [path.name for path in site(book).rglob("*.css") if "playgrounds" not in path.parts] == [SHEET]


def test_what_a_page_needs_since_it_was_changed_is_in_the_sheet_and_all_pages_know(tmp_path):
    book = RenderedBook(tmp_path)
    book.write("plain", "# Plain\n")
    assert book.build() == ""
    sheet, plain = site(book) / "_static" / SHEET, site(book) / "plain.html"
    before, earlier = sheet.read_text(), plain.read_text()
    assert ".sd-card-body" not in before
    book.write("index", "# First page\n\n::::{card} One\nText.\n::::\n")
    assert book.build() == ""
    assert ".sd-card-body" in sheet.read_text()
    assert plain.read_text() != earlier
    assert "] plain" not in book.said


def test_a_change_of_a_style_of_the_book_s_own_is_seen_by_the_next_build(tmp_path):
    book = RenderedBook(tmp_path)
    own = book.source / "_static" / "own.css"
    own.parent.mkdir()
    own.write_text("h1 { color: #123456 }")
    with (book.source / "conf.py").open("a") as conf:
        conf.write('html_static_path, html_css_files = ["_static"], ["own.css"]\n')
    for color in ("#123456", "#654321"):
        own.write_text(f"h1 {{ color: {color} }}")
        assert book.build() == ""
        assert f"h1{{color: {color}}}" in (site(book) / "_static" / SHEET).read_text()
