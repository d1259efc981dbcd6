"""The built site in a real browser: what a reader sees on a desk and on a phone, by day and by night."""

import itertools
import re
from collections.abc import Iterator

import pytest
from browsing import open_page, wait_until
from looking import accessibility_faults, focus_in_header, ground, names_in_header
from playwright.sync_api import Page
from topics import CHAPTERS, PAGES

WITH_EXERCISES = [path for path, text in CHAPTERS.items() if "{admonition} Exercise" in text]

# Pixels, of small text in a figure: as a cell draws it at 144 dots an inch, and as a phone has to show it.
TEXT_OF_EIGHT_POINTS = 16
SMALLEST_TEXT = 11

# What formulas are written with, and no code is.
TEX = re.compile(r"\\(begin|exp|frac|left|log|math\w+|operatorname|partial|sigma|sum|text)\b|\$\w")


@pytest.fixture(params=PAGES)
def path(request):
    return request.param


@pytest.fixture(scope="module", params=itertools.product(PAGES, [1300, 390]), ids="{0[0]}-{0[1]}".format)
def untouched(request, browser, address) -> Iterator[tuple[Page, list[str]]]:
    """Each page at both widths, for tests that only look at it; and what went wrong when it was opened."""
    path, width = request.param
    page, errors = open_page(browser, f"{address}/{path}", width)
    yield page, errors
    page.context.close()


def test_nobody_is_kept_out(untouched):
    """By color, by the keyboard or by a screen reader, as far as axe-core can tell."""
    page, _ = untouched
    assert accessibility_faults(page) == []


@pytest.mark.parametrize("width", [1300, 390])
def test_nobody_is_kept_out_in_the_dark(browser, address, path, width):
    page, _ = open_page(browser, f"{address}/{path}", width, scheme="dark")
    assert accessibility_faults(page) == []
    outlines = focus_in_header(page)
    assert min(outlines.values()) >= 2, outlines
    filters = page.locator(".bd-article img").evaluate_all("all => all.map(e => getComputedStyle(e).filter)")
    assert set(filters) <= {"none"}  # it would shift what a photograph shows, and colors for the color-blind
    page.context.close()


def test_no_page_is_wider_than_the_screen(untouched):
    page, errors = untouched
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert errors == []


def test_the_keyboard_is_seen_in_the_header(browser, address):
    """Each of its buttons has an outline that stands out, when the keyboard has brought a reader there."""
    page, _ = open_page(browser, f"{address}/{next(iter(CHAPTERS))}")
    outlines = focus_in_header(page)
    assert len(outlines) > 4
    assert min(outlines.values()) >= 2, outlines
    page.context.close()


def test_a_button_in_the_header_says_what_it_is_for(browser, address):
    page, _ = open_page(browser, f"{address}/{next(iter(CHAPTERS))}")
    on_github = ["Run", "Source"] if page.locator(".dropdown-launch-buttons").count() else []
    assert names_in_header(page) == ["Code", *on_github, "Download", "Fullscreen", "Light/dark"]
    page.context.close()


@pytest.mark.parametrize("path", [*CHAPTERS, "about/results.html"])
def test_no_number_in_a_table_is_broken(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}", width=390)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    broken = page.locator("table:is(.promises, .results) td:not(:first-child)").evaluate_all(
        """cells => cells.filter(cell => {
            const text = document.createRange();
            text.selectNodeContents(cell);
            const bottoms = [...text.getClientRects()].map(box => box.bottom);
            return Math.max(...bottoms) - Math.min(...bottoms) > 12;
        }).map(cell => cell.textContent)"""
    )
    assert broken == []
    page.context.close()


def test_code_in_a_sentence_is_not_cut_off(untouched):
    page, _ = untouched
    cut_off = page.evaluate(
        """[...document.querySelectorAll(".bd-article :is(p, li) code")]
           .filter(code => !code.closest("table") && code.getBoundingClientRect().right > innerWidth)
           .map(code => code.textContent)"""
    )
    assert cut_off == []


def test_one_search_field_and_no_empty_header(browser, address, path):
    page, _ = open_page(browser, f"{address}/{path}")
    fields = page.query_selector_all(".search-button-field, .bd-search")
    expected = 2 if path == "search.html" else 1  # the page of the search has its form besides
    assert len([field for field in fields if field.is_visible()]) == expected
    header = page.query_selector("header.bd-header")
    assert header is None or not header.is_visible()
    page.context.close()


@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("path", CHAPTERS)
def test_every_figure_loads_and_fits_and_can_be_read(browser, address, path, width):
    page, _ = open_page(browser, f"{address}/{path}", width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for image in page.query_selector_all(".cell_output img"):
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")
        drawn = image.evaluate("image => image.naturalWidth")
        assert drawn > 100
        shown, frame = image.bounding_box(), image.evaluate("image => image.parentElement.clientWidth")
        assert shown
        assert frame <= width
        assert shown["width"] >= SMALLEST_TEXT / TEXT_OF_EIGHT_POINTS * drawn
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


@pytest.mark.parametrize("path", WITH_EXERCISES)
def test_who_has_hidden_the_code_still_gets_the_solutions(browser, address, path):
    """Each that is opened on the screen, and all on paper."""
    page, _ = open_page(browser, f"{address}/{path}")
    page.evaluate("localStorage.setItem('code', 'hidden')")
    page.reload()
    solutions = page.locator(".tag_hide-cell .cell_input pre")
    assert page.locator(".cell_input:visible").count() == 0
    page.locator(".tag_hide-cell summary").first.click()
    assert solutions.first.is_visible()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(code.is_visible() for code in solutions.all())
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_a_page_is_light_open_and_whole(browser, address, path, scheme):
    page, _ = open_page(browser, f"{address}/{path}", scheme=scheme)
    folded = page.locator("details:not([open]):not(.playground *)").count()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    colors = "e => getComputedStyle(e).color.match(/\\d+/g).slice(0, 3).map(Number)"
    assert max(page.locator(".bd-article-container").evaluate(colors)) < 120
    assert min(ground(page)) > 240
    assert all(code.is_visible() for code in page.locator(".tag_hide-cell .cell_input pre").all())
    navigation = page.locator("nav, .bd-sidebar, .headerlink, .copybtn")
    assert not any(part.is_visible() for part in navigation.all())
    cut_off = "codes => codes.filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).length"
    assert page.locator(".bd-article-container pre").evaluate_all(cut_off) == 0
    wait_until(page, "[...document.images].every(image => image.complete)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open]):not(.playground *)").count() == folded
    assert page.locator("html").get_attribute("data-theme") == scheme
    page.context.close()


@pytest.mark.parametrize("words", ["backpropagation", "cross-entropy", "softmax"])
def test_what_a_search_shows_of_a_page_is_its_text(browser, address, words):
    """And no source of a formula, nor the words on the page's buttons."""
    page, errors = open_page(browser, f"{address}/search.html?q={words}")
    page.get_by_text("Search finished, found").wait_for()
    # Sphinx fetches each page that it found, and puts what it shows of it behind the link.
    wait_until(page, "[...document.querySelectorAll('#search-results li')].every(each => each.children[1])")
    found = page.locator("#search-results li p.context").all_inner_texts()
    assert len(found) > 1
    assert not [text for text in found if TEX.search(text) or "Print to PDF" in text]
    assert errors == []
    page.context.close()


@pytest.mark.parametrize("path", ["search.html", next(iter(CHAPTERS))])
def test_the_sign_of_a_search_stands_beside_its_words(browser, address, path):
    """In the page of the search, and in the window that its keys open on any other."""
    page, _ = open_page(browser, f"{address}/{path}")
    page.keyboard.press("Control+k")
    field = page.locator("form.bd-search:visible")
    sign, words = field.locator("i").bounding_box(), field.locator("input").bounding_box()
    assert 0 < sign["x"] < sign["x"] + sign["width"] <= words["x"]
    page.context.close()


def test_search_finds_a_chapter(browser, address):
    page, errors = open_page(browser, f"{address}/search.html?q=backpropagation")
    page.locator("#search-results li a", has_text="multi-layer perceptron").first.wait_for()
    assert errors == []
    page.context.close()


def test_a_root_stands_in_its_line(browser, address):
    """It does not hang below, as a sign does that covers one small letter, nor is there a gap behind it."""
    page, _ = open_page(browser, f"{address}/cnn/weight-initialization.html")
    roots = page.locator("span.math msqrt").evaluate_all(
        """roots => roots.map(root => {
            const whole = root.getBoundingClientRect(), size = parseFloat(getComputedStyle(root).fontSize);
            const {bottom, right} = root.querySelector("mi, mn").getBoundingClientRect();
            return {hang: (whole.bottom - bottom) / size, gap: (whole.right - right) / size};
        })"""
    )
    assert len(roots) > 3
    assert max(root["hang"] for root in roots) < 0.4
    assert max(root["gap"] for root in roots) < 0.1
    page.context.close()


def test_the_beginning_of_a_formula_can_be_seen(untouched):
    page, _ = untouched
    cut = page.locator("div.math").evaluate_all(
        """all => {
            const left = part => part.getBoundingClientRect().left;
            const hidden = each => [...each.children].some(part => left(part) < left(each) - 1);
            return all.filter(hidden).map(each => each.textContent);
        }"""
    )
    assert cut == []
