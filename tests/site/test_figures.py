"""The figures of all pages in a browser: on the page's own ground, by the reader's own choice of colors."""

import io

import numpy as np
import pytest
from browsing import open_page, wait_until
from PIL import Image
from playwright.sync_api import Page
from topics import CHAPTERS

DRAWING = "div.drawing > img"


def ground(page: Page) -> list[int]:
    """Return red, green and blue of what the page's text stands on."""
    return page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )


def seen(page: Page) -> np.ndarray:
    """Return the whole page as it looks: int, (H, W, 3)."""
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    wait_until(page, "[...document.images].every(image => image.complete)")
    with Image.open(io.BytesIO(page.screenshot(full_page=True))) as image:
        return np.asarray(image.convert("RGB"), int)


def drawings(page: Page) -> list[np.ndarray]:
    """Return what can be seen of each drawing: int, (H, W, 3)."""
    for _ in range(10):
        before, whole, boxes = places(page), seen(page), places(page)
        if boxes == before:  # what comes late, such as a font, moves what is below
            break
    assert boxes == before, "the page does not come to rest"
    inside = ([*map(round, (top + 1, bottom - 1, left + 1, right - 1))] for top, bottom, left, right in boxes)
    return [whole[top:bottom, left:right] for top, bottom, left, right in inside]


def places(page: Page) -> list[list[float]]:
    """Return where the drawings are, in pixels of the whole page: top, bottom, left, right."""
    return page.locator(DRAWING).evaluate_all(
        """images => images.map(image => image.getBoundingClientRect()).filter(({width}) => width > 0)
            .map(({top, bottom, left, right}) => [top + scrollY, bottom + scrollY, left, right])"""
    )


def stands_on(shown: np.ndarray, color: list[int]) -> bool:
    """Tell whether most of a drawing's upper edge has that color, but for what a screen rounds."""
    return (np.abs(shown[0] - color).max(axis=1) <= 2).mean() > 0.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", CHAPTERS)
def test_a_drawing_stands_on_the_ground_of_its_page_and_out_from_it(browser, address, path, scheme):
    page, _ = open_page(browser, f"{address}/{path}", scheme=scheme)
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
