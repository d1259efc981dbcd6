"""`<turn-the-codes>`, on what its page saved: two decoders, and codes to blend, to turn and to round."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from playing import saved_bytes
from safetensors.torch import load

from dlbook.playgrounds import restored

NAME = "turn-the-codes"
CASES = 100


@pytest.fixture
def saved(html):
    """What the page saved, as torch has it."""
    return restored(load(saved_bytes(html, NAME)))


def decoded(saved, name, codes):
    """Decode as PyTorch does."""
    if name == "linear":
        return F.linear(codes, saved["linear.weight"], saved["linear.bias"])
    for k in range(3):
        codes = F.linear(codes, saved[f"deep.{k}.weight"], saved[f"deep.{k}.bias"])
        codes = F.silu(codes) if k < 2 else codes.sigmoid()
    return codes


def blends(saved, name):
    """Return random blends of two codes, and turn one number of each."""
    generator = torch.Generator().manual_seed(0)
    codes, (low, high) = saved[f"{name}.codes"], saved[f"{name}.limits"]
    pairs = torch.randint(len(codes), (2, CASES), generator=generator)
    mixed = torch.lerp(*codes[pairs], torch.rand(CASES, 1, generator=generator))
    which = torch.arange(CASES) % codes.shape[1]
    mixed[range(CASES), which] = torch.lerp(low, high, 0.87)[which]  # at 0.9, 8 bits have two nearest levels
    return mixed


@pytest.mark.parametrize("name", ["linear", "deep"])
def test_the_decoders_are_those_of_torch(playground, saved, name):
    codes = blends(saved, name)
    with playground(NAME) as opened:
        drawn = opened.element.evaluate(
            f"(element, codes) => codes.map(code => Array.from(element.decoders.{name}(code)))",
            codes.tolist(),
        )
    torch.testing.assert_close(torch.tensor(drawn), decoded(saved, name, codes), atol=1e-4, rtol=0)


def test_each_number_goes_to_the_nearest_of_its_levels(playground, saved):
    codes = blends(saved, "deep").double().numpy()
    low, high = saved["deep.limits"].double().numpy()
    with playground(NAME) as opened:
        for bits, code in zip((1, 2, 3, 8, 32) * CASES, codes, strict=False):
            given = code.tolist(), low.tolist(), high.tolist(), bits
            rounded = opened.call(f"./{NAME}/codes.js", "quantize", *given)
            expected = code
            if bits < 32:
                levels = np.linspace(low, high, 2**bits)
                nearest = np.abs(levels - code).argmin(axis=0)
                expected = np.take_along_axis(levels, nearest[None], axis=0)[0]
            np.testing.assert_allclose(rounded, expected, atol=1e-5)


def picture(opened, number):
    """Return the gray levels of one of the playground's pictures."""
    return np.array(
        opened.element.locator("canvas")
        .nth(number)
        .evaluate(
            """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, 28, 28).data)
                .filter((_, k) => k % 4 === 0)"""
        )
    )


def captions(opened):
    return opened.element.locator("figcaption").all_inner_texts()[2:]


def test_it_shows_what_the_decoders_draw_and_how_far_that_is_from_the_image(playground, saved):
    images = saved["images"].flatten(1) / 255
    with playground(NAME, fragment=f"{NAME}?from=5&to=17&bits=4&blend=100") as opened:
        shown = [picture(opened, number) for number in range(4)]
        texts = captions(opened)
    for number, image in enumerate((5, 17)):
        np.testing.assert_array_equal(shown[number], saved["images"][image].flatten())
    for name, pixels, text in zip(("linear", "deep"), shown[2:], texts, strict=True):
        low, high = saved[f"{name}.limits"]
        step = (high - low) / 15
        code = low + ((saved[f"{name}.codes"][17] - low) / step).round() * step
        drawn = decoded(saved, name, code[None])[0]
        np.testing.assert_allclose(pixels, 255 * drawn.clamp(0, 1), atol=0.51)
        assert text == f"{name} decoder, error {F.mse_loss(drawn, images[17]):.4f}"


def test_the_sentence_has_the_errors_that_the_page_measured(playground, saved):
    with playground(NAME, fragment=f"{NAME}?bits=2") as opened:
        for name in ("linear", "deep"):
            few, exact = saved[f"{name}.errors"][[1, -1]].tolist()
            assert f"{few:.4f}" in opened.status
            assert f"{exact:.4f}" in opened.status
        assert "8 bytes" in opened.status


def test_a_keyboard_blends_turns_and_rounds(playground):
    with playground(NAME) as opened:
        before = [picture(opened, number) for number in range(4)]
        number = opened.element.get_by_role("slider", name="number 7 of the code")
        number.focus()
        for _ in range(10):
            opened.page.keyboard.press("ArrowUp")
        opened.drawn()
        same = [np.array_equal(old, picture(opened, k)) for k, old in enumerate(before)]
        assert same == [True, True, True, False]  # only the deep code was turned
        assert captions(opened)[1] == "deep decoder"  # what has been turned has no error
        assert "numbers of the deep code that are turned: 1." in opened.status
        opened.wait_for("location.hash.includes('deep=7at')")

        opened.element.get_by_role("button", name="Turn the linear code").focus()
        opened.page.keyboard.press("Enter")
        number.focus()
        opened.page.keyboard.press("End")
        opened.drawn()
        assert not np.array_equal(before[2], picture(opened, 2))

        opened.element.get_by_role("slider", name="Blend").focus()
        opened.page.keyboard.press("ArrowRight")
        assert opened.status.startswith("Drawn: 1% of the way from ")
        opened.page.keyboard.press("End")
        opened.element.get_by_role("slider", name="Bits for a number").focus()
        opened.page.keyboard.press("Home")
        assert "With 1 bit for a number, a digit takes 4 bytes" in opened.status
        opened.wait_for("location.hash.includes('bits=1') && !location.hash.includes('at')")
        opened.drawn()
        assert all("error" in text for text in captions(opened))

        opened.element.get_by_role("button", name="Reset").click()
        opened.drawn()
        assert all(np.array_equal(old, picture(opened, k)) for k, old in enumerate(before))
        assert opened.fragment == ""
        assert opened.errors == []


def test_an_address_opens_it_as_it_was(playground):
    fragment = f"{NAME}?from=0&to=39&blend=30&code=linear&deep=7at80&linear=1at100"
    with playground(NAME, fragment=fragment) as opened:
        first = [picture(opened, number) for number in range(4)]
        sliders = opened.element.get_by_role("slider")
        assert opened.element.get_by_role("slider", name="number 1 of the code").input_value() == "100"
        assert sliders.first.input_value() == "30"
    with playground(NAME, fragment=f"{fragment}&bits=7000&from=-4&deep=99at3,7at80") as opened:
        assert opened.errors == []  # what makes no sense is left out
        np.testing.assert_array_equal(picture(opened, 3).shape, first[3].shape)


@pytest.mark.parametrize("width", [1300, 390])
def test_a_finger_turns_a_number(playground, width):
    with playground(NAME, width=width, has_touch=True) as opened:
        before = picture(opened, 3)
        number = opened.element.get_by_role("slider", name="number 20 of the code")
        number.scroll_into_view_if_needed()
        box = number.bounding_box()
        opened.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 8)
        opened.wait_for(f"document.querySelectorAll('{NAME} .code input')[19].value > 80")  # up is more
        opened.drawn()
        assert not np.array_equal(before, picture(opened, 3))
        wide = opened.element.evaluate("element => element.scrollWidth - element.clientWidth")
        assert wide == 0


def test_nothing_leaves_the_page_and_nothing_piles_up(playground):
    with playground(NAME) as opened:
        turn = """async element => {
            const [first, second] = element.querySelectorAll(".code input");
            for (let k = 0; k < 200; k++) {
                const slider = k % 2 ? first : second;
                slider.value = k % 100;
                slider.dispatchEvent(new Event("input", {bubbles: true}));
                slider.dispatchEvent(new Event("change", {bubbles: true}));
                await new Promise(go => requestAnimationFrame(go));
            }
        }"""
        opened.element.evaluate(turn)
        sent, before = len(opened.asked), opened.heap()
        opened.element.evaluate(turn)
        assert opened.heap() - before < 500_000
        assert len(opened.asked) == sent
        assert opened.errors == []


@pytest.mark.slow
def test_it_answers_at_once(playground):
    with playground(NAME) as opened:
        turn = "(element, run) => { element.sliders[run].value = 5 * run; element.turn(run); }"
        assert opened.response(turn) <= 50
        assert opened.response("(element, run) => element.change({blend: 5 * run})") <= 50
