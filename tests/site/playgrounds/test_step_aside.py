"""`step-aside` computes what PyTorch computes, and a reader can move and cover a photograph in every way."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from playing import saved_bytes
from safetensors.torch import load
from torch import nn

from dlbook import activations
from dlbook.models.layered_cnn import layered_cnn, max_blur_pool
from dlbook.playgrounds import restored
from dlbook.pooling import BlurPool2d, shift

NAME = "step-aside"
CASES = 100
POOLINGS = {
    "max": lambda: nn.MaxPool2d(2),
    "average": lambda: nn.AvgPool2d(2),
    "blur": max_blur_pool,
    "stride": lambda: BlurPool2d(1),
}
CLOSE = {"atol": 1e-4, "rtol": 0}
# Does what a reader would, and returns the answers of the networks' worker, as JSON, which travels faster.
ANSWERS = """async changes => {
    const element = document.querySelector("step-aside"), found = [];
    for (const change of changes) {
        element.bring(change.photo, element.photographs[change.photo]);
        element.change(change);
        while (element.waiting) await new Promise(go => setTimeout(go, 2));
        found.push(element.found.answers.map(({logits, maps}) => ({logits, maps: Array.from(maps.data)})));
    }
    return JSON.stringify(found);
}"""


@pytest.fixture(scope="module")
def saved(html) -> dict[str, torch.Tensor]:
    """What the page saved for the playground."""
    return load(saved_bytes(html, NAME))


@pytest.fixture(scope="module")
def networks(saved) -> list[nn.Sequential]:
    """The page's networks, with their rounded weights."""
    found = []
    for name, pool in POOLINGS.items():
        model, prefix = layered_cnn(pool=pool), f"{name}."
        state = {key.removeprefix(prefix): t for key, t in saved.items() if key.startswith(prefix)}
        missing = model.load_state_dict(restored(state), strict=False).missing_keys
        assert all(key.endswith(("num_batches_tracked", "kernel")) for key in missing)
        found.append(model.eval())
    return found


def now(found):
    """Return what is set, once the networks have answered to it, and that is drawn."""
    return found.rest().page.evaluate("document.querySelector('step-aside').now")


def test_moved_or_covered_the_logits_and_class_maps_are_those_of_torch(playground, saved, networks):
    generator = np.random.default_rng(0)
    changes = []
    for case in range(CASES):
        square = (0, 4, 8, 12)[case % 4]
        right, down = (int(n) for n in generator.integers(-8, 9, 2))
        x, y = (int(n) for n in generator.integers(0, 33 - square, 2))
        photo = case % len(saved["photographs"])
        changes.append({"photo": photo, "right": right, "down": down, "square": square, "x": x, "y": y})
    with playground(NAME) as found:
        seen = json.loads(found.page.evaluate(ANSWERS, changes))
        assert found.errors == []
    mean, std = (saved[name].view(3, 1, 1) for name in ("mean", "std"))
    for change, answers in zip(changes, seen, strict=True):
        pixels = shift(saved["photographs"][change["photo"]][None], change["down"], change["right"])
        image = (pixels.float() / 255 - mean) / std
        rows, columns = (slice(change[at], change[at] + change["square"]) for at in ("y", "x"))
        image[:, :, rows, columns] = 0  # the mean color
        for model, answer in zip(networks, answers, strict=True):
            with torch.no_grad(), activations.capture(model, ["relu3"]) as outputs:
                logits = model(image)[0]
            maps = torch.einsum("ck,kij->cij", model.linear.weight.detach(), outputs["relu3"][0]) / 64
            torch.testing.assert_close(torch.tensor(answer["logits"]), logits, **CLOSE)
            torch.testing.assert_close(torch.tensor(answer["maps"]), maps.flatten(), **CLOSE)
            total = torch.tensor(answer["maps"]).view(10, -1).sum(1) + model.linear.bias.detach()
            torch.testing.assert_close(total, torch.tensor(answer["logits"]), **CLOSE)


def test_the_poolings_are_those_of_the_page(playground):
    generator = torch.Generator().manual_seed(0)
    with playground(NAME) as found:
        for height, width in ((28, 28), (7, 9), (10, 5), (29, 32)):
            maps = torch.randn(3, height, width, generator=generator)
            seen = found.page.evaluate(
                """async ([address, shape, numbers]) => {
                    const {POOLINGS} = await import(address), data = Float32Array.from(numbers);
                    return Object.fromEntries(Object.entries(POOLINGS).map(([name, pool]) =>
                        [name, (({shape, data}) => ({shape, data: Array.from(data)}))(pool({shape, data}))]));
                }""",
                [
                    found.script.replace(".js", "/networks.js"),
                    list(maps.shape),
                    maps.flatten().tolist(),
                ],
            )
            assert list(seen) == list(POOLINGS)
            for name, pool in POOLINGS.items():
                expected = pool()(maps[None])[0]
                assert seen[name]["shape"] == list(expected.shape)
                torch.testing.assert_close(torch.tensor(seen[name]["data"]), expected.flatten(), **CLOSE)


def test_one_pixel_decides_where_the_menu_says_so(playground):
    with playground(NAME) as found:
        menu = found.element.locator("select").first
        titles = menu.locator("option").all_inner_texts()
        assert len(titles) >= 10
        decided = [title for title in titles if "one pixel decides" in title]
        for title in decided:
            menu.select_option(str(titles.index(title)))
            assert title.partition(":")[0] in found.rest().status.partition("average")[0]
            found.element.get_by_role("slider", name="Right").press("ArrowRight")
            found.rest()
            assert found.status.startswith("Moved 1 right: max says")
            assert "max" in found.status.partition("Changed:")[2]
            found.element.get_by_role("slider", name="Right").press("ArrowLeft")
            found.rest()


def test_keys_and_the_mouse_move_the_photograph_and_then_the_square(playground):
    with playground(NAME) as found:
        picture = found.element.get_by_role("application", name="The photograph")
        picture.focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
            picture.press(key)
        assert found.rest().status.startswith("Moved 2 right and 1 up: max says ")
        for _ in range(12):
            picture.press("ArrowLeft")
        assert now(found)["right"] == -8  # and no farther
        box = picture.bounding_box()
        pixel = box["width"] / 32

        def drag(start, end):
            for act, (x, y) in ((found.page.mouse.move, start), (found.page.mouse.move, end)):
                act(box["x"] + x * pixel, box["y"] + y * pixel)
                if (x, y) == start:
                    found.page.mouse.down()
            found.page.mouse.up()

        drag((16, 16), (19.1, 14))
        assert [now(found)[name] for name in ("right", "down")] == [-5, -3]
        found.element.get_by_label("Gray square").select_option("8 by 8 pixels")
        assert [now(found)[name] for name in ("x", "y", "square")] == [12, 12, 8]
        drag((16, 16), (10, 20))
        assert [now(found)[name] for name in ("x", "y", "right", "down")] == [6, 16, -5, -3]
        picture.press("ArrowDown")
        assert now(found)["y"] == 17
        drag((16, 16), (60, -10))
        assert [now(found)[name] for name in ("x", "y")] == [24, 0]  # within the photograph
        assert found.status.startswith("Moved 5 left and 3 up, 8 by 8 pixels covered: ")
        color = found.page.evaluate(
            """() => {
                const context = document.querySelector("step-aside .seen").getContext("2d");
                return Array.from(context.getImageData(28, 3, 1, 1).data);
            }"""
        )
        mean = found.page.evaluate("document.querySelector('step-aside').gray")
        assert color[:3] == pytest.approx(mean, abs=1)
        assert found.errors == []


def test_a_finger_moves_the_photograph_and_not_the_page(playground):
    with playground(NAME, width=390, has_touch=True) as found:
        picture = found.element.get_by_role("application", name="The photograph")
        picture.scroll_into_view_if_needed()
        box, scrolled = picture.bounding_box(), found.page.evaluate("scrollY")
        session = found.page.context.new_cdp_session(found.page)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

        def touch(kind, *points):
            places = [{"x": x, "y": y} for x, y in points]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        touch("touchStart", (x, y))
        for step in range(1, 6):
            touch("touchMove", (x, y - step * box["height"] / 32))
        touch("touchEnd")
        assert now(found)["down"] == -5
        assert found.page.evaluate("scrollY") == scrolled


def test_the_map_that_is_shown_sums_to_the_logit_and_a_class_can_be_chosen(playground):
    with playground(NAME) as found:
        found.element.get_by_role("button", name="frog").click()
        found.rest().element.get_by_role("slider", name="Right").press("ArrowRight")
        found.rest()
        assert found.element.get_by_text("class map of frog").count() == 1
        assert found.element.get_by_role("button", name="frog").get_attribute("aria-pressed") == "true"
        logits = found.page.evaluate(
            "document.querySelector('step-aside').found.answers.map(({logits}) => logits[6])"
        )
        for logit, text in zip(
            logits, found.element.locator("td figcaption:not(:empty)").all_inner_texts(), strict=True
        ):
            terms, _, total = text.replace("−", "-").replace("- ", "+ -").partition(" = ")
            assert float(total) == pytest.approx(logit, abs=0.006)
            assert sum(map(float, terms.split(" + "))) == pytest.approx(logit, abs=0.012)
        shares = found.element.locator("td.share").all_inner_texts()
        assert len(shares) == 40
        for n in range(4):  # each network's probabilities
            assert sum(float(text.rstrip("%")) for text in shares[n::4]) == pytest.approx(100, abs=5)


def test_the_address_keeps_it_and_reset_takes_it_back(playground):
    fragment = f"{NAME}?photo=2&right=-3&square=4&x=5&y=28&class=9"
    with playground(NAME, fragment=fragment) as found:
        expected = {"photo": 2, "right": -3, "down": 0, "square": 4, "x": 5, "y": 28, "label": 9}
        assert now(found) == expected
        found.element.get_by_role("slider", name="Down").press("ArrowRight")
        found.wait_for("location.hash.includes('down=1')")
        found.element.get_by_role("button", name="Reset").click()
        state = now(found)
        assert [state[name] for name in ("photo", "right", "down", "square")] == [0, 0, 0, 0]
        assert found.fragment == ""
        found.page.evaluate(f"location.hash = '#{NAME}?photo=99&right=x&down=-70&square=5&class=-4'")
        found.wait_for("document.querySelector('step-aside').now.down === -8")
        assert now(found) | {"x": 0, "y": 0} == {
            "photo": found.element.locator("select").first.locator("option").count() - 1,
            "right": 0,
            "down": -8,
            "square": 0,
            "x": 0,
            "y": 0,
            "label": 0,
        }
        assert found.errors == []


def test_a_readers_photograph_stays_here(playground, tmp_path):
    coarse = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(coarse.repeat(16, axis=0).repeat(16, axis=1)).save(tmp_path / "mine.png")
    with playground(NAME) as found:
        with found.page.expect_file_chooser() as chooser:
            found.element.get_by_role("button", name="Your photograph").click()
        sent = len(found.asked)
        chooser.value.set_files(tmp_path / "mine.png")
        found.wait_for("document.querySelector('step-aside').brought === 2")
        found.rest()
        shown = torch.tensor(found.page.evaluate("Array.from(document.querySelector('step-aside').pixels)"))
        expected = torch.from_numpy(coarse.repeat(8, axis=0).repeat(8, axis=1)).permute(2, 0, 1)
        assert (shown.view(3, 32, 32) - expected).float().abs().mean() < 5
        assert found.status.startswith("Unmoved: max says ")
        assert len(found.asked) == sent
        assert found.errors == []


def test_its_memory_does_not_grow(playground):
    use = """async count => {
        const element = document.querySelector("step-aside");
        for (let k = 0; k < count; k++) {
            element.change({right: k % 9 - 4, down: k % 5, square: k % 4 * 4, x: k % 20, label: k % 10});
            if (k % 20 === 0) element.bring(k / 20 % 10, element.photographs[k / 20 % 10]);
            while (element.waiting) await new Promise(go => setTimeout(go, 2));
            [...element.draw()];
        }
    }"""
    with playground(NAME) as found:
        assert found.growth(use) < 1_000_000


@pytest.mark.slow
def test_it_answers_at_once(playground):
    """The photograph and its edges move at once; the networks follow from their worker."""
    with playground(NAME) as found:
        assert found.response("(element, run) => element.change({right: run % 8})") <= 50
        assert found.response("(element, run) => element.change({square: 8, x: run})") <= 50
