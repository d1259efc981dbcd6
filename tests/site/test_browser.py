"""The built site in a real browser: what a reader sees on a desk and on a phone, by day and by night."""

import functools
import http.server
import shutil
import threading

import pytest
from conftest import ROOT, chapter_paths
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: install Debian's `chromium`")

CHAPTERS = {
    path.relative_to(ROOT / "book").with_suffix(".html").as_posix(): path.read_text(encoding="utf-8")
    for path in chapter_paths()
}
WITH_EXERCISES = [path for path, text in CHAPTERS.items() if "{admonition} Exercise" in text]
PAGES = ["index.html", "about/results.html", "about/references.html", *CHAPTERS]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture(scope="module")
def address(html):
    """Serve the site on loopback."""
    handler = functools.partial(QuietHandler, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=PAGES)
def path(request):
    return request.param


def open_page(browser: Browser, url: str, width: int = 1300, scheme: str = "light") -> tuple[Page, list[str]]:
    """Open a page without the internet; return it with the errors of its own scripts."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    context.route(lambda url: not url.startswith("http://127.0.0.1"), lambda route: route.abort())
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(url, wait_until="load")
    return page, errors


@pytest.mark.parametrize("width", [1300, 390])
def test_no_page_is_wider_than_the_screen(browser, address, path, width):
    page, errors = open_page(browser, f"{address}/{path}", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert errors == []
    page.context.close()


def test_code_in_a_sentence_is_not_cut_off(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}", width=390)
    cut_off = page.evaluate(
        """[...document.querySelectorAll(".bd-article :is(p, li) code")]
           .filter(code => !code.closest("table") && code.getBoundingClientRect().right > innerWidth)
           .map(code => code.textContent)"""
    )
    assert cut_off == []
    page.context.close()


def test_one_search_field_and_no_empty_header(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}")
    visible = [
        field for field in page.query_selector_all(".search-button-field, .bd-search") if field.is_visible()
    ]
    assert len(visible) == 1
    header = page.query_selector("header.bd-header")
    assert header is None or not header.is_visible()
    page.context.close()


def test_dark_mode_is_dark(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}", scheme="dark")
    brightness = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert max(brightness) < 60
    page.context.close()


@pytest.mark.parametrize("path", CHAPTERS)
def test_every_figure_loads_and_fits(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}", width=390)
    for image in page.query_selector_all(".cell_output img"):
        image.scroll_into_view_if_needed()
        page.wait_for_function("image => image.complete", arg=image)
        assert image.evaluate("image => image.naturalWidth") > 100
        box = image.bounding_box()
        assert box
        assert box["width"] <= 390
    page.context.close()


@pytest.mark.parametrize("path", WITH_EXERCISES)
def test_a_solution_unfolds(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}")
    solution = page.locator("details.hide", has_text="Show the solution").first
    code = solution.locator(".cell_input pre").first
    assert not code.is_visible()
    solution.locator("summary").first.click()
    assert code.is_visible()
    page.context.close()


def test_search_finds_a_chapter(browser, address):
    page, errors = open_page(browser, f"{address}/search.html?q=backpropagation")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    assert "multi-layer perceptron" in page.inner_text("#search-results")
    assert errors == []
    page.context.close()
