"""What a reader sees before any script of the theme has run, and where none runs; and the book's own mark."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from browsing import PATIENCE, open_page, wait_until
from bs4 import BeautifulSoup
from conftest import ROOT
from playwright.sync_api import Browser, Page
from topics import PAGES

OWN = re.compile(r"/_static/preferences\.js")


@pytest.fixture(params=PAGES)
def path(request):
    return request.param


def brightness(page: Page) -> float:
    """Return how bright the page's ground is, from 0 to 255: the mean of its three colors."""
    return page.evaluate(
        """(() => {
             const color = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3);
             return color.map(Number).reduce((a, b) => a + b) / 3;
           })()"""
    )


def open_without_other_scripts(browser: Browser, url: str, scheme: str, stored: str | None = None) -> Page:
    """Open a page of whose script files only the one that chooses the colors can be loaded."""
    context = browser.new_context(color_scheme=scheme)
    context.set_default_timeout(PATIENCE)
    if stored:
        context.add_init_script(f"localStorage.setItem('mode', '{stored}')")
        context.add_init_script(f"localStorage.setItem('theme', '{'dark' if stored == 'auto' else stored}')")
    context.route(
        re.compile(r"\.js(\?|$)"),
        lambda route: route.continue_() if OWN.search(route.request.url) else route.abort(),
    )
    context.route(lambda url: not url.startswith("http://127.0.0.1"), lambda route: route.abort())
    page = context.new_page()
    page.goto(url, wait_until="domcontentloaded")
    return page


def test_the_system_s_colors_are_there_before_any_other_script(browser, address, path):
    for scheme, is_dark in (("dark", True), ("light", False)):
        page = open_without_other_scripts(browser, f"{address}/{path}", scheme)
        assert (brightness(page) < 60) == is_dark, scheme
        page.context.close()


def test_the_colors_are_chosen_before_the_body_begins(html, path):
    """A script that waits would let the browser paint the other colors first."""
    scripts = BeautifulSoup((html / path).read_text(encoding="utf-8"), "html.parser").select("script[src]")
    assert "preferences.js" in scripts[0]["src"]
    assert scripts[0].find_parent("head")
    assert not {"async", "defer", "type"} & set(scripts[0].attrs)
    assert sum("preferences.js" in script["src"] for script in scripts) == 1


@pytest.mark.parametrize(
    ("stored", "scheme", "is_dark"),
    [("dark", "light", True), ("light", "dark", False), ("auto", "light", False)],
)
def test_a_reader_s_choice_goes_before_the_system(browser, address, stored, scheme, is_dark):
    """Of a reader who left it to the system, only the colors of the last visit are stored: dark ones here."""
    page = open_without_other_scripts(browser, f"{address}/index.html", scheme, stored)
    assert (brightness(page) < 60) == is_dark
    page.context.close()


def test_the_page_follows_the_system_while_it_is_open(browser, address):
    page, _ = open_page(browser, f"{address}/index.html")
    page.emulate_media(color_scheme="dark")
    wait_until(page, "document.documentElement.dataset.theme === 'dark'")
    page.context.close()


def test_without_scripts_a_page_is_light_and_whole(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}", scheme="dark", java_script_enabled=False)
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.locator("article h1, article section, #main-content h1, #main-content h2").count() > 0
    page.context.close()


@pytest.mark.parametrize("path", ["index.html", "cnn/mnist-mlp.html", "about/results.html"])
def test_a_page_bears_the_book_s_mark_and_name(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}")
    name = page.locator(".bd-sidebar-primary .book-title")
    assert name.is_visible()
    assert name.inner_text().strip() == "Deep Learning Concepts"
    assert name.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")
    home = urljoin(page.url, name.get_attribute("href")).partition("#")[0]
    assert home == f"{address}/index.html"
    icon = page.locator("link[rel~=icon]").get_attribute("href")
    assert page.request.get(urljoin(page.url, icon)).ok
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_mark_is_seen_at_16_pixels(browser, scheme):
    """In a tab's light or dark strip: its squares of full weight differ from the ground by 3 to 1 (WCAG)."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": 16, "height": 16})
    page = context.new_page()
    page.goto(Path(ROOT / "book" / "_static" / "mark.svg").as_uri())
    color = page.locator("rect").first.evaluate("e => getComputedStyle(e).fill.match(/\\d+/g).map(Number)")
    ground = {"light": [255, 255, 255], "dark": [32, 33, 36]}[scheme]
    lighter, darker = sorted((luminance(color), luminance(ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3
    box = page.locator("rect").first.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 4, 4)  # whole pixels: nothing blurs
    context.close()


def luminance(color: list[int]) -> float:
    """Return the relative luminance of an sRGB color, as WCAG 2 defines it."""
    linear = [(c / 255) / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
