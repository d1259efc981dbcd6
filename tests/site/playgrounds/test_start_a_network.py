"""<start-a-network>: its networks compute what PyTorch's do, and a reader's settings have their effect."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from playing import saved_bytes
from safetensors.torch import load
from torch import nn

from dlbook.initialization import SCHEMES, gain_per_layer

NETWORK, FIRST_WEIGHTS = "./start-a-network/network.js", "./start-a-network/schemes.js"
ACTIVATIONS = {
    "relu": F.relu,
    "leaky": lambda z: F.leaky_relu(z, 0.2),
    "tanh": torch.tanh,
    "none": lambda z: z,
}
# A step of the browser's network, from weights that Python gives it; its modules take typed arrays.
STEP = """async ([address, {sizes, activation, weights, biases}, images, labels, steps]) => {
    const net = await import(address), typed = arrays => arrays.map(array => Float32Array.from(array));
    const network = {sizes, activation, weights: typed(weights), biases: typed(biases)};
    const velocity = net.atRest(network), plain = arrays => arrays.map(array => Array.from(array));
    let first;
    for (let k = 0; k < steps; k++) {
        const {inputs, sums} = net.forward(network, Float32Array.from(images));
        const {loss, gradient} = net.crossEntropy(sums.at(-1), labels);
        const atSums = net.backward(network, sums, gradient), slopes = net.gradients(network, inputs, atSums);
        first ??= {loss, sums: plain(sums), atSums: plain(atSums), slopes: plain(slopes.weights),
            biasSlopes: plain(slopes.biases)};
        net.step(network, slopes, velocity, 0.05, 0.9);
    }
    return {...first, weights: plain(network.weights), biases: plain(network.biases)};
}"""


# What the dots and the last sentence tell of a network, and its weights. In steps of no length,
# training leaves it as it is.
MEASURED = """async ([network, worker, settings]) => {
    const {drawn} = await import(network), {signal, standardized, training} = await import(worker);
    const data = standardized(document.querySelector("start-a-network").file.tensors);
    const plain = arrays => arrays.map(array => Array.from(array));
    const {weights, biases} = drawn(settings, data.pixels, 10, settings.seed);
    const trained = [...training(data, {...settings, rate: 0})];
    return {weights: plain(weights), biases: plain(biases), ...signal(data, settings), ...trained.at(-1)};
}"""


@pytest.fixture
def start(playground):
    return lambda **settings: playground("start-a-network", **settings)


def reference(sizes, activation, images, labels, steps):
    """Return the same from PyTorch."""
    layers = [nn.Linear(n, m) for n, m in pairwise(sizes)]
    given = {
        "sizes": sizes,
        "activation": activation,
        "weights": [layer.weight.flatten().tolist() for layer in layers],
        "biases": [layer.bias.tolist() for layer in layers],
    }
    parameters = [parameter for layer in layers for parameter in layer.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9)
    first: dict[str, object] = {}
    for _ in range(steps):
        h, sums = images, []
        for layer in layers:
            sums.append(layer(h))
            sums[-1].retain_grad()
            h = ACTIVATIONS[activation](sums[-1])
        loss = F.cross_entropy(sums[-1], labels)
        optimizer.zero_grad()
        loss.backward()
        first = first or {
            "loss": loss.item(),
            "sums": [z.detach().clone() for z in sums],
            "atSums": [z.grad.clone() for z in sums if z.grad is not None],
            "slopes": [layer.weight.grad.clone() for layer in layers if layer.weight.grad is not None],
            "biasSlopes": [layer.bias.grad.clone() for layer in layers if layer.bias.grad is not None],
        }
        optimizer.step()
    return given, {
        **first,
        "weights": [layer.weight.detach() for layer in layers],
        "biases": [layer.bias.detach() for layer in layers],
    }


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_signal_gradients_and_steps_are_those_of_torch(start, activation):
    torch.manual_seed(0)
    with start() as opened:
        address = opened.script.replace("start-a-network.js", NETWORK.removeprefix("./"))
        for case in range(25):
            inputs, width, classes = 5 + case % 7, 3 + case % 6, 2 + case % 5  # not all are multiples of four
            sizes = [inputs, *[width] * (1 + case % 4), classes]
            images = torch.randn(1 + case % 5, inputs)
            labels = torch.arange(len(images)) % classes
            given, expected = reference(sizes, activation, images, labels, steps=3)
            found = opened.page.evaluate(
                STEP, [address, given, images.flatten().tolist(), labels.tolist(), 3]
            )
            assert found["loss"] == pytest.approx(expected.pop("loss"), abs=1e-5)
            for name, tensors in expected.items():
                for values, tensor in zip(found[name], tensors, strict=True):
                    seen = torch.tensor(values, dtype=torch.float32)
                    torch.testing.assert_close(seen, tensor.flatten(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_dots_and_the_share_that_is_read_right_are_those_of_torch(start, html, activation):
    saved = load(saved_bytes(html, "start-a-network"))
    mean, deviation = saved["scale"]
    settings = {"scheme": "kaiming", "activation": activation, "width": 24, "depth": 4, "seed": 3}
    with start() as opened:
        folder = opened.script.removesuffix(".js")
        found = opened.page.evaluate(MEASURED, [f"{folder}/network.js", f"{folder}/worker.js", settings])

    def sums_of(images):
        h, sums = ((images - mean) / deviation).flatten(1), []
        for weight, bias in zip(found["weights"], found["biases"], strict=True):
            bias, weight = torch.tensor(bias, dtype=torch.float32), torch.tensor(weight)
            sums.append(F.linear(h, weight.view(len(bias), -1), bias).requires_grad_())
            h = ACTIVATIONS[activation](sums[-1])
        return sums

    *hidden, logits = sums_of(saved["train"][:32])
    slopes = torch.autograd.grad(F.cross_entropy(logits, saved["train_labels"][:32].long()), hidden)
    back = torch.stack([each.square().mean() for each in slopes])
    assert found["forward"] == pytest.approx([each.square().mean().item() for each in hidden], rel=1e-3)
    assert found["backward"] == pytest.approx((back / back[-1]).tolist(), rel=1e-3)
    right = sums_of(saved["test"])[-1].argmax(dim=1) == saved["test_labels"]
    assert found["accuracy"] == pytest.approx(right.float().mean().item(), abs=1e-3)


@pytest.mark.parametrize("scheme", ["zeros", "uniform_half", "uniform_fan_in", "normal_fan_in", "xavier",
                                    "kaiming", "pytorch_default"])  # fmt: skip
def test_a_scheme_draws_with_the_variance_of_the_book(start, scheme):
    settings = {"scheme": scheme, "activation": "relu", "width": 64, "depth": 3}
    with start() as opened:
        network = opened.call(NETWORK, "drawn", settings, 400, 10, 0)
        again, other = (opened.call(NETWORK, "drawn", settings, 400, 10, seed) for seed in (0, 1))
    assert network == again
    assert scheme == "zeros" or network != other
    for (n, m), weights in zip([(400, 64), (64, 64), (64, 64), (64, 10)], network["weights"], strict=True):
        expected = SCHEMES[scheme].variance(n, m)
        assert np.var(weights) == pytest.approx(expected, rel=0.2)
        assert abs(np.mean(weights)) <= 5 * math.sqrt(expected / len(weights))
    assert any(network["biases"][0]) == SCHEMES[scheme].random_biases


@pytest.mark.parametrize("scheme", ["uniform_half", "normal_fan_in", "kaiming", "xavier"])
def test_the_line_is_the_books_formula(start, scheme):
    settings = {"scheme": scheme, "activation": "relu", "width": 32, "depth": 10}
    with start() as opened:
        found = opened.call(FIRST_WEIGHTS, "predicted", settings, 784)
        first = 784 * SCHEMES[scheme].variance(784, 32)
    gain = gain_per_layer(SCHEMES[scheme], 32)
    assert found["forward"] == pytest.approx([first * gain**layer for layer in range(10)], rel=1e-3)
    assert found["backward"] == pytest.approx([gain ** (9 - layer) for layer in range(10)], rel=1e-3)


def test_a_tanh_is_averaged_over_a_bell_curve(start):
    settings = {"scheme": "kaiming", "activation": "tanh", "width": 500, "depth": 2}
    with start() as opened:
        found = opened.call(FIRST_WEIGHTS, "predicted", settings, 784)
    z = torch.randn(2_000_000, generator=torch.Generator().manual_seed(0)) * math.sqrt(2)
    assert found["forward"][1] == pytest.approx(2 * z.tanh().square().mean().item(), rel=5e-3)
    assert found["backward"][0] == pytest.approx(2 * (1 - z.tanh() ** 2).square().mean().item(), rel=5e-3)


def set_slider(opened, name, presses, key):
    slider = opened.element.get_by_role("slider", name=name)
    slider.focus()
    for _ in range(presses):
        slider.press(key)


def test_the_signal_is_measured_and_both_train_alike_from_the_same_start(start):
    with start(fragment="start-a-network?depth=2&width=8&rival=kaiming") as opened:
        opened.element.get_by_text("A layer multiplies the mean square").wait_for()
        assert opened.drawn().element.locator("circle").count() == 2 * 2 * 2  # networks, layers, ways
        opened.element.get_by_role("button", name="Train both").click()
        opened.element.get_by_text("After 150 steps").wait_for()
        yours, rival = (float(text.split("%")[0]) for text in opened.status.split("reads")[1].split("rival"))
        assert yours == rival  # the same scheme and the same seed
        assert opened.errors == []


def test_controls_are_kept_in_the_address(start):
    with start() as opened:
        set_slider(opened, "Depth", 3, "ArrowRight")
        opened.element.get_by_role("combobox", name="Activation").select_option("tanh")
        opened.element.get_by_role("button", name="Draw anew").click()
        opened.wait_for("/activation=tanh.*seed=1/.test(location.hash)")
        fragment = opened.fragment
        depth = opened.element.get_by_role("slider", name="Depth").input_value()
    with start(fragment=fragment) as opened:
        assert opened.element.get_by_role("slider", name="Depth").input_value() == depth
        assert opened.element.get_by_role("combobox", name="Activation").input_value() == "tanh"
        opened.element.get_by_role("button", name="Reset").click()
        assert opened.element.get_by_role("combobox", name="Activation").input_value() == "relu"


def test_memory_stays_flat(start):
    use = """async times => {
        const element = document.querySelector("start-a-network");
        for (let k = 0; k < times; k++) {
            element.width.value = 8 + 8 * (k % 10);
            element.change();
            element.sides.forEach((side, k) => side.ask(element.settings(k))); // a reader has paused
            await new Promise(requestAnimationFrame);
        }
    }"""
    with start() as opened:
        assert opened.growth(use) < 1_000_000
        assert len(opened.page.workers) <= 2  # one a network; those before are ended


@pytest.mark.slow
def test_it_answers_at_once(start):
    """The formula's lines follow at once; what is measured comes from the workers."""
    act = "(element, run) => { element.depth.value = 2 + run; element.change(); }"
    with start() as opened:
        assert opened.response(act) <= 50
