"""The figures of all pages in a browser: on the page's own ground, by the reader's own choice of colors."""

import io

import numpy as np
import pytest
from browsing import open_page
from PIL import Image
from playwright.sync_api import Locator, Page
from topics import CHAPTERS

DRAWING = "div.drawing > img"


def ground(page: Page) -> list[int]:
    """Return red, green and blue of what the page's text stands on."""
    return page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    )


def seen(figure: Locator) -> np.ndarray:
    """Return what is on the screen: int, (H, W, 3)."""
    figure.scroll_into_view_if_needed()  # before that, a picture far below is waited for without end
    figure.evaluate("image => image.decode()")
    with Image.open(io.BytesIO(figure.screenshot())) as image:
        return np.asarray(image.convert("RGB"), int)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", CHAPTERS)
def test_a_drawing_stands_on_the_ground_of_its_page_and_out_from_it(browser, address, path, scheme):
    page, _ = open_page(browser, f"{address}/{path}", scheme=scheme)
    figures = [figure for figure in page.locator(DRAWING).all() if figure.is_visible()]
    assert figures
    for figure in figures:
        shown = seen(figure)
        assert [shown[0, 0].tolist(), shown[-1, 0].tolist()] == [ground(page)] * 2
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
    light, figure = ground(page), page.locator(DRAWING).first
    assert seen(figure)[0, 0].tolist() == light
    page.evaluate("localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')")
    page.reload()
    assert max(ground(page)) < min(light)
    assert seen(figure)[0, 0].tolist() == ground(page)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen(figure)[0, 0].tolist() == light
    page.context.close()
