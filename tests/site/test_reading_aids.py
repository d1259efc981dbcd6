"""What helps a reader in the page: figures that grow, code that hides, words that say what they mean."""

import pytest
from browsing import open_page
from bs4 import BeautifulSoup
from topics import CHAPTERS

PAGE = "cnn/mnist-mlp.html"


@pytest.fixture
def page(browser, address):
    page, errors = open_page(browser, f"{address}/{PAGE}")
    yield page
    assert errors == []
    page.context.close()


@pytest.mark.parametrize("path", CHAPTERS)
def test_every_figure_has_a_number_and_says_what_it_shows(html, path):
    page = BeautifulSoup((html / path).read_text(encoding="utf-8"), "html.parser")
    for image in page.select(".cell_output img"):
        figure = image.find_parent("figure")
        assert figure, image["alt"]
        assert figure.select_one(".caption-number")
        assert len(figure.select_one(".caption-text").get_text().split()) > 2


def test_a_press_on_a_figure_shows_it_large_and_escape_ends_that(page):
    figure = page.locator("figure.captioned:visible").first
    image = figure.locator("img")
    before = image.bounding_box()["width"]
    image.click()
    dialog = page.locator("dialog.enlarged")
    dialog.locator("img").evaluate("image => image.decode()")
    assert dialog.locator("img").bounding_box()["width"] > 1.2 * before
    assert dialog.locator("img").get_attribute("alt") == image.get_attribute("alt")
    assert figure.locator(".caption-text").inner_text().strip() in dialog.inner_text()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def test_a_figure_grows_by_the_keyboard_and_the_focus_comes_back(page):
    button = page.get_by_role("button", name="Enlarge Figure").first
    name = button.get_attribute("aria-label")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name=name.removeprefix("Enlarge "))
    dialog.get_by_role("button", name="Close").press("Enter")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.ariaLabel") == name


@pytest.mark.parametrize("path", [path for path, text in CHAPTERS.items() if "{margin}" in text])
@pytest.mark.parametrize(("width", "beside"), [(1300, True), (390, False)])
def test_a_side_remark_stands_in_the_margin_or_below_its_paragraph(browser, address, path, width, beside):
    page, _ = open_page(browser, f"{address}/{path}", width)
    end = 0
    for remark in page.locator("aside.margin").all():
        paragraph = remark.locator("xpath=preceding-sibling::p[1]").bounding_box()
        box = remark.bounding_box()
        if beside:
            assert box["x"] >= paragraph["x"] + paragraph["width"]
            assert abs(box["y"] - paragraph["y"] - paragraph["height"]) < 100
        else:
            assert box["y"] >= paragraph["y"] + paragraph["height"]
        assert box["y"] >= end  # of the remark before it
        end = box["y"] + box["height"]
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.locator("aside.margin").count() > 0
    page.context.close()


def test_code_can_be_hidden_and_stays_hidden_on_the_next_page(page, address):
    code = page.locator(".cell_input:visible")
    assert code.count() > 5
    page.get_by_role("button", name="Hide the code").click()
    assert code.count() == 0
    assert page.locator(".cell_output:visible").count() > 5
    page.goto(f"{address}/cnn/cifar-cnn.html")
    assert code.count() == 0
    page.get_by_role("button", name="Show the code", exact=True).click()
    assert code.count() > 5
    page.reload()
    assert code.count() > 5


def test_the_text_that_is_read_stays_in_its_place_while_code_hides(page):
    heading = page.locator("h2", has_text="Overfitting, seen")
    heading.scroll_into_view_if_needed()
    page.evaluate("heading => scrollTo(0, heading.offsetTop)", heading.element_handle())
    before = heading.bounding_box()["y"]
    page.get_by_role("button", name="Hide the code").dispatch_event("click")  # Playwright's click scrolls
    assert page.locator(".cell_input:visible").count() == 0
    assert abs(heading.bounding_box()["y"] - before) <= 1


def test_a_word_of_the_glossary_says_what_it_means(page):
    link = page.locator(".bd-article a:has(.std-term):visible").first
    note = page.get_by_role("tooltip")
    link.hover()
    note.wait_for()
    said = note.inner_text()
    assert len(said.split()) > 5
    page.mouse.move(0, 0)
    note.wait_for(state="hidden")
    link.focus()
    note.wait_for()
    assert note.inner_text() == said
    assert link.get_attribute("aria-describedby") == note.get_attribute("id")
    page.keyboard.press("Escape")
    note.wait_for(state="hidden")
    link.click()
    assert (
        said
        in page.locator(":target")
        .locator("xpath=ancestor-or-self::dt/following-sibling::dd")
        .first.inner_text()
    )


def test_what_is_smuggled_into_a_page_does_not_run(browser, address, html):
    text = (html / PAGE).read_text(encoding="utf-8")
    smuggled = "<script>window.hacked = 1</script><img src='x' onerror='window.hacked = 2'></body>"
    page, _ = open_page(browser, f"{address}/about/notation.html")
    page.route(
        f"**/{PAGE}",
        lambda route: route.fulfill(body=text.replace("</body>", smuggled), content_type="text/html"),
    )
    page.goto(f"{address}/{PAGE}")
    assert page.evaluate("window.hacked") is None
    page.context.close()


def test_a_lost_reader_finds_the_book_again(browser, address, html):
    page, errors = open_page(browser, f"{address}/index.html")
    lost = (html / "404.html").read_text(encoding="utf-8")
    page.route(
        "**/no/such/page", lambda route: route.fulfill(status=404, body=lost, content_type="text/html")
    )
    failed = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{address}/no/such/page")
    assert failed == [f"{address}/no/such/page"]
    page.locator(".bd-sidebar-primary").get_by_role("link", name="Linear autoencoder").click()
    page.locator("article h1", has_text="8. Linear autoencoder").wait_for()
    assert errors == []
    page.context.close()
