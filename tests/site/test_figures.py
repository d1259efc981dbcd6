"""The figures of all pages in a browser: on the page's own ground, by the reader's own choice of colors."""

import io

import numpy as np
import pytest
from browsing import open_page
from looking import ground
from PIL import Image
from playwright.sync_api import Locator, Page
from topics import CHAPTERS

DRAWING = "div.drawing > img"


def drawings(page: Page) -> list[np.ndarray]:
    """Return what can be seen of each drawing: int, (H, W, 3)."""
    return [seen(image) for image in page.locator(DRAWING).all() if image.is_visible()]


def seen(image: Locator) -> np.ndarray:
    """Return an image as it looks, without its outermost pixels: int, (H, W, 3).

    It is brought into the window, away from the header. A photograph of the whole page would be laid out for
    a higher window, where each may stand elsewhere.
    """
    image.evaluate("image => { image.scrollIntoView({block: 'center'}); return image.decode(); }")
    with Image.open(io.BytesIO(image.screenshot())) as shown:
        return np.asarray(shown.convert("RGB"), int)[1:-1, 1:-1]


def stands_on(shown: np.ndarray, color: list[int]) -> bool:
    """Tell whether most of a drawing's upper edge has that color, but for what a screen rounds."""
    return (np.abs(shown[0] - color).max(axis=1) <= 2).mean() > 0.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", CHAPTERS)
def test_a_drawing_stands_on_the_ground_of_its_page_and_out_from_it(browser, address, path, scheme):
    page, _ = open_page(browser, "about:blank", scheme=scheme)
    page.route("**/playgrounds/**", lambda route: route.abort())  # they would take a drawing's place
    page.goto(f"{address}/{path}")
    figures = drawings(page)
    assert figures
    for shown in figures:
        assert stands_on(shown, ground(page))
        assert np.abs(shown - ground(page)).max() > 100
    page.context.close()


def test_no_line_is_black_and_so_unseen_in_the_dark(html):
    black = [path.name for path in (html / "_images").glob("*.svg") if "stroke: #000000" in path.read_text()]
    assert black == []


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_tap_shows_a_figure_large_enough_to_be_read(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}", width=390, has_touch=True)
    image = page.locator("figure.captioned:visible img").first
    drawn = int(image.get_attribute("width"))
    image.tap()
    dialog = page.locator("dialog.enlarged")
    shown = dialog.locator("img").evaluate("async image => { await image.decode(); return image.width; }")
    assert shown >= drawn
    dialog.get_by_role("button", name="Close").tap()
    dialog.wait_for(state="hidden")
    page.context.close()


def test_a_drawing_follows_the_reader_and_not_the_system(browser, address):
    page, _ = open_page(browser, f"{address}/{next(iter(CHAPTERS))}", scheme="light")
    light = ground(page)
    assert stands_on(drawings(page)[0], light)
    page.evaluate("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    page.reload()
    assert max(ground(page)) < min(light)
    assert stands_on(drawings(page)[0], ground(page))
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert stands_on(drawings(page)[0], light)
    page.context.close()
