"""What a reader waits for and sees move: a first view's bytes, and how still a page stands on a slow line."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bookbuild.loopback import served
from browsing import built_site, open_page, wait_until
from playwright.sync_api import Browser, Page
from topics import CHAPTERS, PAGES

# Bytes that a page may send until it rests, before and after somebody has scrolled to its first figure.
WITHOUT_FIGURES, WITH_FIGURES = 300_000, 500_000
FONTS = 100_000  # bytes of the letters that one page shows
# Pixels from the window's top to the heading that a link leads to, where the page goes on below.
HEADER = 150
# Of a window, that what is seen may move by: what Google calls a good "cumulative layout shift" is a tenth.
SHIFT = 0.01
# What hosts pack before they send it; pictures and fonts are packed already.
PACKED = (".html", ".css", ".js", ".svg", ".json")
# Seconds until each file comes, as on a slow line. (Chromium's own slow line sometimes never ends a request.)
SLOW = 0.2
# Adds up, from the page's first moment, by how much of the window what is seen has moved without the reader.
WATCH = """
self.moved = [];
new PerformanceObserver(list => list.getEntries().filter(entry => !entry.hadRecentInput).forEach(entry =>
    self.moved.push([entry.value, entry.sources.map(({node}) => node?.outerHTML?.slice(0, 200) ?? "")])))
    .observe({type: "layout-shift", buffered: true});
"""
# Whether all letters are there, and all pictures that are in the window.
SEEN = """document.fonts.status === "loaded" && [...document.images].every(image => {
    const {top, bottom} = image.getBoundingClientRect();
    return image.complete || top >= innerHeight || bottom <= 0;
})"""
# Waits until nothing has come for a second; Playwright has a wait that never ends if a request is given up.
REST = """async () => {
    const come = () => performance.getEntriesByType("resource").length;
    for (let before = -1; before !== come();) {
        before = come();
        await new Promise(go => setTimeout(go, 1000));
    }
}"""


@pytest.fixture(scope="module")
def slow_address(html: Path) -> Iterator[str]:
    """Serve the built site on loopback, as from far away."""
    with served(html, delay=SLOW, root=built_site().root) as address:
        yield address


def slow_page(browser: Browser, url: str, width: int) -> tuple[Page, list[str]]:
    """Open a page until it rests; return it, and the addresses of all that was sent."""
    page, _ = open_page(browser, "about:blank", width)
    page.add_init_script(WATCH)
    sent: list[str] = []
    page.on("response", lambda answer: sent.append(answer.url))
    page.goto(url, wait_until="load")
    wait_until(page, SEEN)
    page.evaluate(REST)
    return page, sent


def weight(html: Path, name: str) -> int:
    """Return the bytes that a host sends for a file of the site, such as ``/index.html?v=1``."""
    path = html / unquote(urlsplit(name).path).lstrip("/")
    content = path.read_bytes()
    return len(gzip.compress(content, 6)) if path.suffix in PACKED else len(content)


@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("path", PAGES)
def test_a_first_view_is_light_and_stands_still(browser, slow_address, html, path, width):
    page, sent = slow_page(browser, f"{slow_address}/{path}", width)
    names = {url.removeprefix(slow_address) for url in sent}
    sizes = {name: weight(html, name) for name in names}
    pictures = sum(size for name, size in sizes.items() if name.startswith("/_images/"))
    assert sum(sizes.values()) - pictures <= WITHOUT_FIGURES, sizes
    assert sum(sizes.values()) <= WITH_FIGURES, sizes
    assert sum(size for name, size in sizes.items() if "/fonts/" in name) <= FONTS, sizes
    moved = page.evaluate("self.moved")
    assert sum(value for value, _ in moved) <= SHIFT, moved
    page.context.close()


@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("path", CHAPTERS)
def test_a_link_leads_to_its_heading_on_a_slow_line(browser, slow_address, path, width):
    """What comes later above it, pictures and playgrounds, has its room from the beginning."""
    sections = built_site().page(path.removesuffix(".html")).select("section section[id]")
    name = str(sections[len(sections) * 3 // 4]["id"])
    page, _ = slow_page(browser, f"{slow_address}/{path}#{name}", width)
    top = page.locator(f"[id='{name}'] > :is(h2, h3, h4)").first.bounding_box()["y"]
    below = page.evaluate("document.documentElement.scrollHeight - scrollY - innerHeight")
    assert 0 <= top <= (HEADER if below > 1 else 900), (name, top)
    page.context.close()
