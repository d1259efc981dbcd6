"""A browser without the internet, and the built site on loopback, as fixtures of every test."""

import functools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bookbuild.book import Book
from bookbuild.check.site import Site
from bookbuild.loopback import served
from bookbuild.render.paper import chromium
from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = chromium()
# Milliseconds that a page or an element is waited for before a test fails: far from any real machine.
PATIENCE = 180_000
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@functools.cache
def built_site() -> Site:
    """Return the site in _build/html; its pages are parsed once, as that takes long."""
    return Site(Book.at(ROOT))


def open_page(
    browser: Browser, url: str, width: int = 1300, scheme: str = "light", **settings: object
) -> tuple[Page, list[str]]:
    """Open a page without the internet.

    Returns:
        The page, and what went wrong on it: errors of its scripts, breaches of its policy, and requests to
        other hosts, none of which is answered.
    """
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme, **settings)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    errors: list[str] = []

    def refuse(route: Route) -> None:
        errors.append(f"asked for {route.request.url}")
        route.abort()

    context.route(lambda url: not url.startswith("http://127.0.0.1"), refuse)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.extend([said.text] if "Security Policy" in said.text else []))
    page.goto(url, wait_until="load")
    return page, errors


def wait_until(page: Page, expression: str) -> None:
    """Wait until an expression of JavaScript is true; Playwright's own way breaks the page's policy."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(20)


@pytest.fixture(scope="session")
def address(html: Path) -> Iterator[str]:
    """Serve the built site on loopback, where it lies at its host: 404.html counts on that."""
    with served(html, root=built_site().root) as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; a test that needs it is skipped, and says so, where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH: install Debian's `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
