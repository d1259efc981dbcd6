"""The buttons that a page has where there is a repository: run it, download its notebook."""

import re
import shutil

import pytest
from bookbuild.loopback import served
from browsing import open_page
from conftest import ROOT
from looking import accessibility_faults, focus_in_header, names_in_header
from rendered_book import RenderedBook, setting

pytestmark = pytest.mark.slow

# What the book's configuration says of them.
LOOKS = ("html_static_path", "html_css_files", "html_js_files", "html_context", "html_sidebars")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site of two pages with the book's own looks, built for a repository."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GITHUB_REPOSITORY", "someone/book")
        book = RenderedBook(tmp_path_factory.mktemp("book"))
        shutil.copytree(ROOT / "book" / "_static", book.source / "_static")
        with (book.source / "conf.py").open("a") as conf:
            conf.writelines(f"{name} = {setting(name)!r}\n" for name in LOOKS)
        book.write("index", "# First page\n\n:::{colab-button} one\n:::\n")
        book.write_chapter("one", "Some prose.")
        book.compute("one", {})
        book.build()
    with served(book.folder / "_build" / "html") as address:
        yield address


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 390])
def test_nobody_is_kept_out(browser, site, width, scheme):
    page, errors = open_page(browser, f"{site}/one.html", width, scheme)
    page.get_by_role("button", name="Run this chapter yourself").click()
    assert accessibility_faults(page) == []
    assert errors == []
    page.context.close()


def test_the_keyboard_reaches_colab_and_is_seen_on_its_way(browser, site):
    page, _ = open_page(browser, f"{site}/one.html")
    outlines = focus_in_header(page)
    assert min(outlines.values()) >= 2, outlines
    run = page.get_by_role("button", name="Run this chapter yourself")
    run.press("Enter")
    run.press("ArrowDown")
    focused = page.evaluate("document.activeElement.href")
    assert focused.startswith("https://colab.research.google.com/github/someone/book/")
    assert focused.endswith("/one.ipynb")
    page.context.close()


def test_each_button_says_what_it_is_for(browser, site):
    page, _ = open_page(browser, f"{site}/one.html")
    assert names_in_header(page)[:2] == ["Run", "Source"]
    assert all(re.fullmatch(r"[A-Z][a-z/]+", name) for name in names_in_header(page))
    page.context.close()


def test_the_first_page_opens_a_chapter_on_colab(browser, site):
    page, _ = open_page(browser, f"{site}/index.html")
    button = page.get_by_role("link", name="Open in Colab")
    assert button.get_attribute("href").endswith("/one.ipynb")
    page.context.close()
