"""`<you-against-the-network>`, on what its page saved: photographs, labels, and what the network answers."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playing import saved_bytes
from safetensors.numpy import load
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix

NAME = "you-against-the-network"
CASES = 100


@pytest.fixture
def saved(html):
    """What the page saved, as arrays."""
    return load(saved_bytes(html, NAME))


@pytest.fixture
def names(saved):
    return bytes(saved["names"]).decode().split("\n")


def order(opened, count, seed=1):
    return opened.call("./core/random.js", "shuffled", count, seed)


def rows(opened, which):
    """Return one of the tables of who takes what for what."""
    if opened.element.locator("details").get_attribute("open") is None:
        opened.element.get_by_text("Who takes what for what").click()
        opened.element.locator("table").first.wait_for()
    cells = opened.element.locator("table").nth(which).locator("tbody td").all_text_contents()
    return np.array([int(cell or 0) for cell in cells]).reshape(10, 11)


def test_the_intervals_are_those_of_scipy(playground):
    generator = np.random.default_rng(0)
    with playground(NAME) as opened:
        for count in generator.integers(1, 300, CASES):
            hits = int(generator.integers(0, count, endpoint=True))
            expected = binomtest(hits, count).proportion_ci(method="wilson")
            found = opened.call("./core/intervals.js", "wilson", hits, int(count))
            np.testing.assert_allclose(found, [expected.low, expected.high], atol=1e-12)
        assert opened.call("./core/intervals.js", "wilson", 0, 0) == [0, 1]


def test_an_order_has_every_photograph_once_and_each_seed_its_own(playground):
    with playground(NAME) as opened:
        orders = [order(opened, 200, seed) for seed in range(1, 30)]
        assert order(opened, 200, 1) == orders[0]
    assert all(sorted(each) == list(range(200)) for each in orders)
    assert len(set(map(tuple, orders))) == len(orders)
    first = [each[0] for each in orders]
    assert len(set(first)) > 20  # not always the same photographs come first


def test_the_photographs_are_the_saved_ones(playground, saved):
    sheet = np.array(Image.open(io.BytesIO(saved["photographs"].tobytes())).convert("RGB"))
    columns = sheet.shape[1] // 32
    with playground(NAME) as opened:
        shown = opened.element.evaluate(
            """(element, count) => Array.from({length: count}, (_, number) => {
                const canvas = document.createElement("canvas");
                element.paint(canvas, number);
                return Array.from(canvas.getContext("2d").getImageData(0, 0, 32, 32).data);
            })""",
            CASES,
        )
    for number, pixels in enumerate(shown):
        row, column = divmod(number, columns)
        expected = sheet[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
        np.testing.assert_array_equal(np.reshape(pixels, (32, 32, 4))[..., :3], expected)


def test_by_keyboard_both_are_counted_on_the_same_photographs(playground, saved, names):
    count = 24
    with playground(NAME) as opened:
        seen = order(opened, len(saved["labels"]))[:count]
        labels, theirs = saved["labels"][seen], saved["predictions"][seen]
        yours = np.where(np.arange(count) % 3, labels, 2)
        opened.element.get_by_role("button", name="bird").focus()
        for answer in yours:
            opened.page.keyboard.press(str((answer + 1) % 10))
        opened.drawn()
        scores = opened.element.locator(".side").all_inner_texts()
        for side, answers in zip(scores, (yours, theirs), strict=True):
            assert f"{(answers == labels).sum()} of {count}" in side
        assert f"photograph {count + 1} of" in opened.element.inner_text()
        for which, answers in enumerate((yours, theirs)):
            expected = confusion_matrix(labels, answers, labels=range(10))
            np.testing.assert_array_equal(rows(opened, which)[:, :10], expected)
        only_you = ((yours == labels) & (theirs != labels)).sum()
        only_network = ((yours != labels) & (theirs == labels)).sum()
        assert f"only you were right on {only_you}, and only the network on {only_network}" in opened.status
        assert names[labels[-1]] in opened.status
        assert f"{100 * saved['probabilities'][seen[-1]]:.0f}%" in opened.status

        opened.element.get_by_role("button", name="Reset").click()
        opened.drawn()
        assert "photograph 1 of" in opened.element.inner_text()
        assert not rows(opened, 0).any()
        assert opened.errors == []


@pytest.mark.parametrize("width", [1300, 390])
def test_a_finger_answers_and_the_page_is_not_wider(playground, saved, names, width):
    with playground(NAME, width=width, has_touch=True) as opened:
        label = saved["labels"][order(opened, len(saved["labels"]))[0]]
        opened.element.get_by_role("button", name=names[label]).tap()
        opened.hear("you were right")  # a tap becomes a press only later
        opened.element.get_by_text("Who takes what for what").tap()
        opened.element.locator("table").first.wait_for()
        assert opened.element.evaluate("element => element.scrollWidth - element.clientWidth") == 0


def test_against_the_clock_no_answer_is_none_and_the_match_waits(playground):
    with playground(NAME, fragment=f"{NAME}?clock=1&seed=5") as opened:
        # The page's clock stands still until it is set: a slow machine would use up the reader's time.
        opened.page.evaluate("self.hand = 0; performance.now = () => self.hand")
        assert opened.element.get_by_role("checkbox").is_checked()
        go = opened.element.get_by_role("button", name="Next photograph")
        assert opened.element.get_by_role("button", name="cat").is_disabled()
        go.click()
        opened.page.evaluate("self.hand += 3900")
        opened.wait_for(f"document.querySelector('{NAME}').time.value < 0.2")
        assert opened.drawn().element.get_by_role("button", name="cat").is_enabled()
        opened.page.evaluate("self.hand += 200")
        go.wait_for()  # the time is over, and no answer was given
        assert "your time was over" in opened.status
        assert rows(opened, 0)[:, 10].sum() == 1
        assert opened.element.get_by_role("button", name="cat").is_disabled()
        go.click()
        opened.element.get_by_role("button", name="cat").click()
        assert "your time was over" not in opened.status
        opened.element.get_by_role("checkbox").uncheck()
        opened.wait_for("location.hash === '#you-against-the-network?seed=5'")
        opened.drawn()
        assert not rows(opened, 0).any()  # without the clock it is another match


def test_other_photographs_are_others_and_the_address_keeps_them(playground):
    with playground(NAME) as opened:
        opened.element.get_by_role("button", name="Other photographs").click()
        opened.wait_for("location.hash.includes('seed=')")
        fragment = opened.fragment
        mine = opened.element.evaluate("element => element.order")
    seed = int(re.search(r"seed=(\d+)", fragment)[1])
    with playground(NAME, fragment=fragment) as opened:
        assert opened.element.evaluate("element => element.order") == mine == order(opened, len(mine), seed)


def test_a_match_ends_nothing_leaves_the_page_and_nothing_piles_up(playground, saved):
    with playground(NAME) as opened:
        play = """async (element, count) => {
            for (let k = 0; k < count; k++) {
                element.querySelectorAll(".answers button")[k % 10].click();
                await new Promise(go => requestAnimationFrame(go));
            }
        }"""
        count = len(saved["labels"])
        opened.element.evaluate(play, count)
        opened.drawn()
        assert "That was the last photograph" in opened.status
        assert opened.element.get_by_role("button", name="cat").is_disabled()
        sent, before = len(opened.asked), opened.heap()
        opened.element.get_by_role("button", name="Reset").click()
        opened.element.evaluate(play, count)
        assert opened.heap() - before < 500_000
        assert all(request.url.startswith("blob:") for request in opened.asked[sent:])
        assert opened.errors == []


@pytest.mark.slow
def test_it_answers_at_once(playground):
    with playground(NAME) as opened:
        assert opened.response("(element, run) => element.answer(run % 10)") <= 50
        opened.page.evaluate(f"document.querySelector('{NAME}').confusions.open = true")
        assert opened.response("(element, run) => element.answer(run % 10)") <= 50
