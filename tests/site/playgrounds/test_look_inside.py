"""`look-inside` computes what PyTorch computes, and a reader can go through the network in every way."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from playing import saved_bytes
from safetensors.torch import load

from dlbook import activations, receptive_field
from dlbook.models.layered_cnn import layered_cnn

NAME = "look-inside"
CASES = 100
# What stands behind each level of the playground: before the ReLU, and behind it.
LEVELS = {
    1: ("norm1", "relu1"),
    2: ("pool1", "pool1"),
    3: ("norm2", "relu2"),
    4: ("pool2", "pool2"),
    5: ("norm3", "relu3"),
    6: ("linear", "linear"),
}
# Looks at a value (level, channel, row, column) of each image; given as [folder of scripts, both as JSON].
# Many numbers travel as text, as Playwright looks at each number of a list.
LOOK = """async ([folder, text]) => {
    const [images, values] = JSON.parse(text);
    const {network, next} = await import(folder + "/core/layered-cnn.js");
    const {sum, gradient} = await import(folder + "/look-inside/value.js");
    const layers = network(document.querySelector("look-inside").file.tensors, 32);
    return JSON.stringify(images.map((image, k) => {
        const data = Float32Array.from(image), outputs = [{shape: [3, 32, 32], data, sums: data}];
        for (const layer of layers) outputs.push(next(layer, outputs[outputs.length - 1]));
        const [level, channel, row, column] = values[k], place = {channel, row, column};
        const layer = layers[level - 1];
        const {parts, bias} = layer.weight ? sum(layer, outputs[level - 1], place) : {parts: [], bias: 0};
        return {parts, bias, output: Array.from(outputs[level].data), sums: Array.from(outputs[level].sums),
            slopes: Array.from(gradient(layers, outputs, level, place))};
    }));
}"""


@pytest.fixture(scope="module")
def saved(html) -> dict[str, torch.Tensor]:
    """What the page saved for the playground."""
    return load(saved_bytes(html, NAME))


@pytest.fixture(scope="module")
def network(saved):
    model = layered_cnn()
    missing = model.load_state_dict({k: v for k, v in saved.items() if "." in k}, strict=False).missing_keys
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return model.eval()


@pytest.fixture(scope="module")
def images(saved) -> torch.Tensor:
    """The photographs, and noise: (100, 3, 32, 32), standardized."""
    noise = torch.randint(0, 256, (CASES, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    pixels = torch.cat([saved["photographs"], noise.to(torch.uint8)])[:CASES].float() / 255
    return (pixels - saved["mean"].view(3, 1, 1)) / saved["std"].view(3, 1, 1)


def folder(found):
    """The folder of the scripts."""
    return found.script.rpartition("/")[0]


def said(found, beginning):
    """Wait until it has said something that begins so, and shows it."""
    found.hear(beginning).drawn()
    assert found.status.startswith(beginning)


def test_values_sums_and_gradients_are_those_of_torch(playground, network, images):
    generator = np.random.default_rng(0)
    values, answers = [], []
    for k in range(CASES):
        level = k % 6 + 1
        before, after = LEVELS[level]
        pixels = images[k : k + 1].clone().requires_grad_()
        with activations.capture(network, {before, after}, keep_graph=True) as outputs:
            network(pixels)
        maps, output = outputs[before].view(-1, *(outputs[before].shape[2:] or (1, 1))), outputs[after]
        place = [int(generator.integers(side)) for side in maps.shape]
        maps[tuple(place)].backward()
        values.append([level, *place])
        answers.append((maps.detach(), output.detach().flatten(), pixels.grad.flatten()))
    with playground(NAME) as found:
        text = json.dumps([images.flatten(1).tolist(), values])
        seen = json.loads(found.page.evaluate(LOOK, [folder(found), text]))
    close = {"atol": 1e-4, "rtol": 0}
    for (_, *place), (maps, output, gradient), answer in zip(values, answers, seen, strict=True):
        torch.testing.assert_close(torch.tensor(answer["output"]), output, **close)
        torch.testing.assert_close(torch.tensor(answer["sums"]), maps.flatten(), **close)
        torch.testing.assert_close(torch.tensor(answer["slopes"]).float(), gradient, **close)
        if answer["parts"]:
            total = torch.tensor(sum(answer["parts"]) + answer["bias"])
            torch.testing.assert_close(total, maps[tuple(place)], **close, check_dtype=False)


def test_the_square_is_the_receptive_field(playground, network):
    fields = dict(zip(network._modules, receptive_field.by_formula(list(network)[:11]), strict=False))
    with playground(NAME) as found:
        for level in range(1, 6):
            expected = fields[LEVELS[level][1]]
            seen = found.page.evaluate(
                """async ([folder, level]) => {
                    const {network} = await import(folder + "/core/layered-cnn.js");
                    const {field} = await import(folder + "/look-inside/value.js");
                    return field(network(document.querySelector("look-inside").file.tensors, 32), level);
                }""",
                [folder(found), level],
            )
            assert seen == {"size": expected.size, "step": expected.stride, "start": expected.start}


def test_a_click_and_keys_choose_a_value_and_the_address_keeps_it(playground):
    with playground(NAME) as found:
        found.element.get_by_role("button", name="stage 2").click()
        said(found, "In stage 2, channel")
        maps = found.element.get_by_label("All maps of the layer")
        box = maps.bounding_box()
        maps.click(position={"x": box["width"] * (17 * 2 + 4.5) / 135, "y": box["height"] * 3.5 / 67})
        said(found, "In stage 2, channel 2, row 3, column 4:")
        for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
            found.page.keyboard.press(key)
        said(found, "In stage 2, channel 2, row 5, column 5:")
        for _ in range(11):
            found.page.keyboard.press("ArrowRight")
        said(found, "In stage 2, channel 3, row 5, column 0:")
        found.wait_for("location.hash.endsWith('channel=3&row=5&column=0')")
        fragment = found.fragment
        status = found.status
    with playground(NAME, fragment=fragment) as found:
        assert found.page.evaluate("document.querySelector('look-inside').words") == status
        assert found.errors == []


def test_a_value_can_be_followed_down_to_the_pixels_and_its_sum_is_shown(playground):
    with playground(NAME) as found:
        for level in ("pool 2", "stage 2", "pool 1", "stage 1"):
            found.element.locator(".numbers button").nth(4 if "pool" in level else 0).click()
            said(found, f"In {level},")
        value = float(found.status.partition(": ")[2].partition(". ")[0].replace("−", "-"))
        total = found.element.locator(".sum > p").inner_text()
        shown = float(total.partition(": ")[2].partition(". ")[0].replace("−", "-"))
        assert value == pytest.approx(max(0, shown), abs=0.011)
        assert found.element.locator(".numbers").count() == 3
        assert found.element.locator(".numbers button").count() == 0  # below are pixels
        first = found.element.locator(".detail p").inner_text()
        found.element.get_by_label("What each channel adds").focus()
        for _ in range(2):
            found.page.keyboard.press("ArrowLeft")
        found.page.keyboard.press("ArrowRight")
        found.drawn()
        assert found.element.locator(".detail p").inner_text().startswith("Green adds")
        assert found.status.startswith("Green adds")
        assert first.partition(" ")[0] in ("Red", "Green", "Blue")
        found.element.get_by_role("button", name="cat").first.click()
        said(found, "The logit of cat:")
        assert found.errors == []


def test_a_readers_photograph_stays_here(playground, tmp_path, saved, network):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    pixels = coarse.repeat(16, axis=0).repeat(16, axis=1)  # 64 by 64
    path = tmp_path / "mine.png"
    Image.fromarray(np.pad(pixels, ((0, 0), (20, 20), (0, 0)))).save(path)
    with playground(NAME) as found:
        with found.page.expect_file_chooser() as chooser:
            found.element.get_by_role("button", name="Your photograph").click()
        sent = len(found.asked)
        chooser.value.set_files(path)
        found.wait_for("document.querySelector('look-inside .foot [role=status]').innerText")
        shown = torch.tensor(found.page.evaluate("Array.from(document.querySelector('look-inside').pixels)"))
        expected = torch.from_numpy(coarse.repeat(8, axis=0).repeat(8, axis=1)).permute(2, 0, 1)
        assert (shown.view(3, 32, 32) - expected).float().abs().mean() < 5  # the middle square
        assert len(found.asked) == sent
        # Choosing what is shown as chosen already would change nothing.
        assert found.element.locator("select").input_value() == ""
        with found.page.expect_file_chooser() as chooser:
            found.element.get_by_role("button", name="Your photograph").click()
        (tmp_path / "no.png").write_text("no picture")
        chooser.value.set_files(tmp_path / "no.png")
        found.element.get_by_text("no.png is no picture").wait_for()
        assert found.errors == []


def test_its_memory_does_not_grow(playground):
    use = """async count => {
        const element = document.querySelector("look-inside");
        for (let k = 0; k < count; k++) {
            await element.go(k % 6 + 1, k % 10, 0, 0);
            if (k % 20 === 0) await element.take(element.photographs[k / 20 % 10]);
            [...element.draw()];
        }
    }"""
    with playground(NAME) as found:
        assert found.growth(use) < 1_000_000


@pytest.mark.slow
def test_it_answers_at_once(playground):
    with playground(NAME) as found:
        assert found.response("(element, run) => element.go(5, run, 3, 3)") <= 50
        assert found.response("(element, run) => element.go(6, run % 10)") <= 50
