"""Scripts and icons: a page loads what it uses, and the site has what a page loads."""

import re
from pathlib import Path

import pytest
from bookbuild.render.assets import unused
from bs4 import BeautifulSoup
from conftest import ROOT
from rendered_book import RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]

TABS = "::::{tab-set}\n:::{tab-item} One\nText.\n:::\n::::\n"
CODE = "```python\n1 + 1\n```\n"


@pytest.fixture
def book(tmp_path) -> RenderedBook:
    book = RenderedBook(tmp_path)
    book.write("index", f"# First page\n\n{CODE}")
    book.write("plain", "# Plain\n\nText.\n")
    book.write("tabs", f"# Tabs\n\n{TABS}")
    assert book.build() == ""
    return book


def site(book: RenderedBook) -> Path:
    return book.folder / "_build" / "html"


def loaded(book: RenderedBook, page: str) -> set[str]:
    """Return the names of the scripts and style sheets that a page loads."""
    soup = BeautifulSoup(book.page(page), "html.parser")
    addresses = [str(tag["src"]) for tag in soup.select("script[src]")]
    addresses += [str(tag["href"]) for tag in soup.select("link[rel=stylesheet]")]
    assert not [address for address in addresses if "//" in address]
    files = [Path(site(book), address.partition("?")[0]) for address in addresses]
    assert [file for file in files if not file.exists()] == []
    assert len(files) == len(set(files))
    return {file.name for file in files}


def test_a_page_loads_what_it_uses(book):
    everywhere = {"bootstrap.js", "sphinx-book-theme.js", "doctools.js"}
    copying, tabs = {"clipboard.min.js", "copybutton.js"}, {"design-tabs.js"}
    assert all(everywhere <= loaded(book, page) for page in ("index", "plain", "tabs", "search"))
    assert loaded(book, "index") & (copying | tabs) == copying
    assert loaded(book, "plain") & (copying | tabs) == set()
    assert loaded(book, "tabs") & (copying | tabs) == tabs


@pytest.mark.parametrize("page", ["index", "plain", "tabs"])
def test_no_script_holds_up_the_page(book, page):
    scripts = BeautifulSoup(book.page(page), "html.parser").select("script[src]")
    assert scripts
    assert [script for script in scripts if not {"defer", "async"} & set(script.attrs)] == []


def test_what_no_page_uses_is_not_in_the_site_and_the_next_build_finds_what_it_uses(book):
    for _ in range(2):
        names = {path.name for path in site(book).rglob("*") if path.is_file()}
        assert [
            name for name in names if re.search("fontawesome|thebe|togglebutton|^fa-|webpack", name)
        ] == []
        assert {"language_data.js", "searchtools.js", "clipboard.min.js"} <= names
        assert list(unused(site(book))) == []
        book.write("plain", "# Plain\n\nOther text.\n")
        assert book.build() == ""
        assert loaded(book, "index")


def test_every_icon_of_a_page_is_drawn(book):
    drawn = (ROOT / "book" / "_static" / "icons.css").read_text()
    for page in ("index", "plain", "search"):
        icons = BeautifulSoup(book.page(page), "html.parser").select("[class*=fa-]")
        names = {name for icon in icons for name in icon["class"] if name.startswith("fa-")}
        names -= {"fa-solid", "fa-brands", "fa-lg"}
        assert "fa-magnifying-glass" in names
        assert [name for name in names if f".{name} {{" not in drawn and f".{name}," not in drawn] == []
