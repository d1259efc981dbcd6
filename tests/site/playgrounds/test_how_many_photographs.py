"""`<how-many-photographs>`, on what its page saved: layers that learn from a few photographs."""

import json
import re

import numpy as np
import pytest
from playing import saved_bytes
from safetensors.torch import load
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from dlbook.playgrounds import restored

NAME = "how-many-photographs"
KINDS, COUNTS, CASES = ("trained", "random", "pixels"), (1, 2, 3, 5, 10, 20, 50), 100
# The layers for some settings, and the photographs that they learned from, as JSON.
LAYERS = """async ([address, cases]) => {
    const element = document.querySelector("how-many-photographs"), {tensors} = element.file;
    const worker = await import(address);
    return JSON.stringify(cases.map(({kind, ...setting}) => ({
        chosen: worker.drawn(tensors.train_labels.data, setting),
        logits: Array.from(worker.trained(tensors, kind, setting)),
    })));
}"""


@pytest.fixture
def saved(html):
    """What the page saved, as arrays."""
    return {name: tensor.numpy() for name, tensor in restored(load(saved_bytes(html, NAME))).items()}


@pytest.fixture
def parts(saved):
    """Labels to learn from and to test on, and for each kind the features of both."""
    train, test = (saved[f"{part}_labels"].astype(int) for part in ("train", "test"))
    features = {kind: np.split(saved[kind].T.astype(float), [len(train)]) for kind in KINDS}
    return train, test, features


def oracle(parts, saved, kind, chosen):
    """Return scikit-learn's log-probabilities for all test photographs."""
    train, _, features = parts
    strength = 1 / (saved[f"{kind}.decay"].item() * len(chosen))
    probe = LogisticRegression(C=strength, solver="newton-cg", tol=1e-10, max_iter=10_000)
    return probe.fit(features[kind][0][chosen], train[chosen]).predict_log_proba(features[kind][1])


def layers(found, cases):
    return json.loads(found.page.evaluate(LAYERS, [found.script.replace(".js", "/worker.js"), cases]))


def press(found, name):
    found.element.get_by_role("button", name=name, exact=True).click()
    return found.rest()


def test_layers_are_those_of_scikit_learn_at_their_lowest_point(playground, saved, parts):
    train = parts[0]
    cases = [
        {"kind": KINDS[case % 3], "count": COUNTS[case % 7], "draw": 1 + case % 20} for case in range(CASES)
    ]
    with playground(NAME) as found:
        seen = layers(found, cases)
        assert found.errors == []
    worst = 0
    for case, layer in zip(cases, seen, strict=True):
        chosen = layer["chosen"]
        assert np.bincount(train[chosen]).tolist() == [case["count"]] * 5
        assert len(set(chosen)) == len(chosen)
        logits = np.reshape(layer["logits"], (-1, 5))
        expected = oracle(parts, saved, case["kind"], chosen)
        found_log = logits - np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True))
        found_log -= logits.max(1, keepdims=True)
        worst = max(worst, np.abs(found_log - expected).max())
    print(f"the largest difference of a log-probability: {worst:.1e}")
    assert worst <= 1e-4


def test_a_draw_with_more_photographs_has_the_fewer_ones_and_draws_differ(playground):
    with playground(NAME) as found:
        cases = [{"kind": "pixels", "count": count, "draw": draw} for draw in (1, 2) for count in (2, 5)]
        few, more, others, _ = (set(layer["chosen"]) for layer in layers(found, cases))
    assert few < more
    assert few != others


def shown(found):
    """Return for each kind how many answers are right, and its interval, as the page says."""
    texts = found.element.locator(".side span").all_inner_texts()
    numbers = [[int(number) for number in re.findall(r"\d+", text)] for text in texts]
    return [(hits, count, low, high) for hits, count, _, _, low, high in numbers]


def test_accuracies_intervals_and_changed_answers_are_counted_right(playground, saved, parts):
    _, test, _ = parts
    names = bytes(saved["names"].astype(np.uint8)).decode().split("\n")
    with playground(NAME, fragment=f"{NAME}?now=20.3&past=2.3&kind=random") as found:
        old, new = layers(found, [{"kind": "random", "count": count, "draw": 3} for count in (2, 20)])
        was, now = (oracle(parts, saved, "random", layer["chosen"]).argmax(1) for layer in (old, new))
        for kind, (hits, count, low, high) in zip(KINDS, shown(found), strict=True):
            answers = oracle(parts, saved, kind, new["chosen"]).argmax(1)
            interval = binomtest(hits, count).proportion_ci(method="wilson")
            assert (hits, count) == ((answers == test).sum(), len(test))
            assert [low, high] == [round(100 * interval.low), round(100 * interval.high)]
        right, wrong = (was != test) & (now == test), (was == test) & (now != test)
        assert f"{right.sum()} now right" in found.element.inner_text()
        assert f"{wrong.sum()} now wrong" in found.element.inner_text()
        assert f"{right.sum()} answers" in found.status
        expected = [
            f"{names[test[k]]}: {names[was[k]]} → {names[now[k]]}"
            for each in (right, wrong)
            for k in np.flatnonzero(each)[:6]
        ]
        captions = found.element.locator(".photos figcaption:visible").all_inner_texts()
        assert captions == expected


def test_by_keyboard_a_number_is_chosen_and_every_number_tried(playground):
    with playground(NAME) as found:
        assert found.element.locator("circle").count() == 3 * (2 + 1)  # tried, and the present one once more
        button = found.element.get_by_role("button", name="20", exact=True)
        button.focus()
        found.page.keyboard.press("Enter")
        found.rest()
        assert button.get_attribute("aria-pressed") == "true"
        assert found.status.startswith("20 of each (draw 1)")
        assert "Compared with 10 of each (draw 1)" in found.status
        found.element.get_by_role("button", name="Try every number").focus()
        found.page.keyboard.press("Enter")
        found.wait_for("document.querySelector('how-many-photographs').found.size === 7")
        found.rest()
        assert found.element.locator("circle").count() == 3 * (7 + 1)
        assert found.element.locator("[role=status]").count() == 1
        assert found.errors == []


@pytest.mark.parametrize("width", [1300, 390])
def test_a_finger_takes_other_photographs_and_the_page_is_not_wider(playground, width):
    with playground(NAME, width=width, has_touch=True) as found:
        before = shown(found)
        found.element.get_by_role("button", name="Other photographs").tap()
        found.element.get_by_text("draw 2 of").wait_for()  # a tap becomes a press only later
        found.rest()
        assert shown(found) != before
        found.element.get_by_role("button", name="Pixels", exact=True).tap()
        found.hear("(pixels).")
        assert found.element.evaluate("element => element.scrollWidth - element.clientWidth") == 0


def test_the_address_keeps_it_and_reset_takes_it_back(playground):
    with playground(NAME) as found:
        first = found.element.locator(".stage").inner_text(), found.status
        press(found, "50")
        press(found, "Random network")
        found.wait_for("location.hash.includes('random')")
        fragment, text = found.fragment, found.status
    with playground(NAME, fragment=fragment) as found:
        assert found.status == text
        press(found, "Reset")
        assert (found.element.locator(".stage").inner_text(), found.status) == first
        assert found.fragment == ""
    with playground(NAME, fragment=f"{NAME}?now=7.1&past=5.99&kind=eyes") as found:
        assert (found.element.locator(".stage").inner_text(), found.status) == first
        assert found.errors == []


def test_nothing_leaves_the_page_and_nothing_piles_up(playground):
    use = """async count => {
        const element = document.querySelector("how-many-photographs");
        for (let k = 0; k < count; k++) {
            element.change({count: [1, 2, 3, 5][k % 4], draw: 1 + k % 20});
            while (element.working) await new Promise(go => setTimeout(go, 2));
            [...element.draw()];
        }
    }"""
    with playground(NAME) as found:
        sent = len(found.asked)
        assert found.growth(use) < 1_000_000
        assert all(request.url.startswith("blob:") for request in found.asked[sent:])
        assert found.errors == []


@pytest.mark.slow
def test_it_answers_at_once(playground):
    """The number is shown at once; its layers follow from their worker."""
    with playground(NAME) as found:
        act = "(element, run) => element.change({count: [1, 2, 3, 5, 10][run % 5], draw: 1 + run % 20})"
        response = found.response(act)
        print(f"response: {response:.0f} ms")
        assert response <= 50
