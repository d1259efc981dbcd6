"""`slide-filter` gives the sizes and maps that PyTorch gives, for every setting of its sliders."""

import itertools
import json

import pytest
import torch
import torch.nn.functional as F

NAME = "slide-filter"
SETTINGS = list(itertools.product(range(2, 8), range(1, 5), range(5), range(1, 4)))
KEYS = ("kernel", "stride", "padding", "dilation")


# Filters the photograph by settings; given as [address of the script, of core/layers.js, settings].
FILTER = """async ([script, layers, settings]) => {
    const {brighterRight, sizes} = await import(script), {conv2d} = await import(layers);
    const {gray, side} = document.querySelector("slide-filter");
    return JSON.stringify(settings.map(setting => {
        const weight = brighterRight(setting.kernel);
        const map = conv2d({shape: [1, side, side], data: gray}, weight, undefined, setting);
        return {size: sizes(side, setting).out, weight: weight.data, map: Array.from(map.data)};
    }));
}"""


def test_every_setting_gives_the_map_that_torch_gives(playground):
    settings = [dict(zip(KEYS, values, strict=True)) for values in SETTINGS]
    with playground(NAME) as found:
        gray = torch.tensor(found.page.evaluate("Array.from(document.querySelector('slide-filter').gray)"))
        layers = found.script.rpartition("/")[0] + "/core/layers.js"
        seen = json.loads(found.page.evaluate(FILTER, [found.script, layers, settings]))
    for (kernel, *setting), answer in zip(SETTINGS, seen, strict=True):
        weight = torch.tensor(answer["weight"]).view(1, 1, kernel, kernel)
        expected = F.conv2d(gray.view(1, 1, 32, 32), weight, None, *setting)
        assert answer["size"] == expected.shape[-1]
        torch.testing.assert_close(torch.tensor(answer["map"]), expected.flatten(), atol=1e-4, rtol=0)
        columns = weight[0, 0].sum(dim=0)
        assert torch.allclose(columns[columns > 0].sum(), torch.tensor(1.0))
        assert torch.allclose(columns, -columns.flip(0))


def test_pixels_left_over_have_no_gradient(playground):
    with playground(NAME) as found:
        for kernel, stride in itertools.product((2, 3, 5), (1, 2, 3, 4)):
            setting = {"kernel": kernel, "stride": stride, "padding": 0, "dilation": 1}
            image = torch.zeros(1, 1, 32, 32, requires_grad=True)
            F.conv2d(image, torch.ones(1, 1, kernel, kernel), stride=stride).sum().backward()
            unread = (image.grad[0, 0].sum(dim=0) == 0).flip(0).long().cumprod(0).sum().item()
            size = found.call(f"./{NAME}.js", "sizes", 32, setting)
            assert size["left"] == (unread if kernel >= stride else (32 - kernel) % stride)


def test_sliders_and_keys_change_formula_map_and_address(playground):
    with playground(NAME) as found:
        formula = found.element.locator(".formula")
        assert formula.inner_text().endswith("= 29")
        found.element.get_by_label("stride").focus()
        found.page.keyboard.press("ArrowRight")
        found.drawn()
        assert formula.inner_text() == "⌊(32 − 4 + 2 · 0) / 2⌋ + 1 = 15"
        assert found.status == "The map has 15 × 15 values."
        found.element.get_by_label("padding").focus()
        found.page.keyboard.press("ArrowRight")
        found.element.get_by_label("dilation").focus()
        found.page.keyboard.press("ArrowRight")
        assert "4 weights reach over 7 pixels" in found.status
        assert "left over" in found.status
        found.wait_for("location.hash === '#slide-filter?stride=2&padding=1&dilation=2'")
        found.element.get_by_label("The map that comes out").focus()
        found.page.keyboard.press("ArrowLeft")
        assert found.page.evaluate("document.querySelector('slide-filter').column") == 6
        found.element.get_by_role("button", name="Reset").click()
        found.drawn()
        assert formula.inner_text().endswith("= 29")
        assert found.errors == []


def test_an_address_opens_it_as_it_was(playground):
    with playground(NAME, fragment=f"{NAME}?stride=2&padding=1&dilation=2") as found:
        assert found.element.get_by_label("stride").input_value() == "2"
        assert found.element.get_by_label("dilation").input_value() == "2"
        shown = found.element.locator(".formula").inner_text()
    with playground(NAME, fragment=f"{NAME}?stride=70&padding=x&dilation=-2") as found:
        assert found.element.locator(".formula").inner_text() not in ("", shown)
        assert found.errors == []


def test_its_memory_does_not_grow(playground):
    use = """count => {
        const element = document.querySelector("slide-filter");
        for (let k = 0; k < count; k++) {
            element.sliders.kernel.value = 2 + k % 6;
            element.go(k % 20, 3);
            [...element.draw()];
        }
    }"""
    with playground(NAME) as found:
        assert found.growth(use) < 1_000_000


@pytest.mark.slow
def test_it_answers_at_once(playground):
    with playground(NAME) as found:
        assert found.response("(element, run) => element.go(run, 3)") <= 50
