"""The initialization schemes: their distributions, their gains, and the networks they are tried on."""

import math

import pytest
import torch
from torch import nn

from dlbook.initialization import SCHEMES, fans, gain_per_layer, initialize
from dlbook.models.deep import DeepMLP
from dlbook.models.small_cnn import SmallCNN

ZERO_MEAN = [key for key, scheme in SCHEMES.items() if scheme.mean == 0 and key != "zeros"]


@pytest.mark.parametrize("key", SCHEMES)
@pytest.mark.parametrize("layer", [nn.Linear(300, 500), nn.Conv2d(20, 50, 5)], ids=["linear", "conv"])
def test_weights_have_the_mean_and_variance_that_the_scheme_states(key, layer):
    torch.manual_seed(0)
    scheme = SCHEMES[key]
    weight = initialize(layer, scheme).weight.detach().double()
    variance = scheme.variance(*fans(weight))
    assert weight.mean().item() == pytest.approx(scheme.mean, abs=5 * math.sqrt(variance / weight.numel()))
    assert weight.var().item() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(
    ("key", "bound"),
    [
        ("uniform_half", 0.5),
        ("uniform_fan_in", 0.1),
        ("pytorch_default", 0.1),
        ("xavier", math.sqrt(6 / 400)),
    ],
)
def test_uniform_schemes_reach_their_bound_and_stay_inside(key, bound):
    torch.manual_seed(0)
    weight = initialize(nn.Linear(100, 300), SCHEMES[key]).weight.abs().max().item()
    assert bound * 0.99 < weight <= bound


@pytest.mark.parametrize(
    "make", [lambda: nn.Linear(30, 20), lambda: nn.Conv2d(3, 4, 5)], ids=["linear", "conv"]
)
def test_pytorchs_default_is_what_pytorch_draws(make):
    torch.manual_seed(3)
    theirs = make()
    torch.manual_seed(4)
    ours = make()
    torch.manual_seed(3)
    initialize(ours, SCHEMES["pytorch_default"])
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=0, atol=0)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=0, atol=0)


@pytest.mark.parametrize("key", [key for key in SCHEMES if key != "pytorch_default"])
def test_all_others_set_every_bias_to_zero(key):
    model = initialize(SmallCNN(), SCHEMES[key])
    biases = [layer.bias for layer in model.layers if isinstance(layer, nn.Linear | nn.Conv2d)]
    assert len(biases) == 4
    assert all((bias == 0).all() for bias in biases)


def test_batch_norm_and_a_missing_bias_are_left_alone():
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4))
    initialize(model, SCHEMES["zeros"])
    assert (model[0].weight == 0).all()
    assert (model[1].weight == 1).all()


def test_fans_of_a_convolution_count_the_kernel():
    assert fans(nn.Conv2d(3, 8, 5).weight) == (75, 200)
    with pytest.raises(ValueError, match="axes"):
        fans(torch.zeros(3))


@pytest.mark.parametrize(
    ("key", "gain"),
    [
        ("zeros", 0),
        ("uniform_fan_in", 1 / 6),
        ("normal_fan_in", 1 / 2),
        ("xavier", 1 / 2),
        ("kaiming", 1),
        ("uniform_half", 120 / 24),
        ("ones", 120**2),
    ],
)
def test_the_gain_is_the_closed_form(key, gain):
    assert gain_per_layer(SCHEMES[key], 120) == pytest.approx(gain)


def test_the_gain_of_positive_weights_is_the_eigenvalue_of_the_recursion():
    n, mean, variance = 7, 0.5, 1 / 12
    matrix = torch.tensor([[n * variance, (n * mean) ** 2], [variance, (n * mean) ** 2]], dtype=torch.float64)
    expected = torch.linalg.eigvals(matrix).real.max().item()
    assert gain_per_layer(SCHEMES["uniform_0_1"], n) == pytest.approx(expected)


@pytest.mark.parametrize("key", ZERO_MEAN)
@pytest.mark.parametrize("width", [5, 40])
def test_the_forward_gain_is_exact_on_average_at_any_width(key, width):
    torch.manual_seed(0)
    z = torch.linspace(-1, 2, width).double()
    weights = torch.stack([SCHEMES[key].fill(torch.empty(width, width)) for _ in range(4000)]).double()
    # The gain is for symmetric z, whose ReLU passes half; this z passes a share of its own.
    passed = z.clamp(min=0).square().mean() / z.square().mean()
    measured = (weights @ z.clamp(min=0)).square().mean() / z.square().mean()
    assert measured / (2 * passed) == pytest.approx(gain_per_layer(SCHEMES[key], width), rel=0.05)


@pytest.mark.parametrize("key", ["uniform_fan_in", "normal_fan_in", "kaiming", "uniform_half", "uniform_0_1"])
def test_thirty_layers_multiply_by_the_gain_both_ways(key):
    gains = []
    for seed in range(4):
        torch.manual_seed(seed)
        model = initialize(DeepMLP(200, 30, input_size=50), SCHEMES[key]).double()
        layers = model.pre_activations(torch.rand(20, 50).double())
        grads = torch.autograd.grad(layers[-1], layers, torch.rand_like(layers[-1]))
        for first, last in ((layers[1], layers[-1]), (grads[-2], grads[0])):
            gains.append(((last.square().mean() / first.square().mean()).log() / 28).item())
    expected = math.log(gain_per_layer(SCHEMES[key], 200))
    assert sum(gains) / len(gains) == pytest.approx(expected, abs=0.05)


def test_an_empty_layer_has_no_gain():
    with pytest.raises(ValueError, match="unit"):
        gain_per_layer(SCHEMES["kaiming"], 0)


def test_the_deep_network_is_its_formula():
    model = DeepMLP(6, 3, input_size=4, classes=2)
    images = torch.randn(5, 1, 2, 2)
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = zip(*[iter(model.parameters())] * 2, strict=True)
    z1 = images.reshape(5, 4) @ w1.T + b1
    z2 = z1.relu() @ w2.T + b2
    z3 = z2.relu() @ w3.T + b3
    torch.testing.assert_close(model.pre_activations(images), [z1, z2, z3])
    torch.testing.assert_close(model(images), z3.relu() @ w4.T + b4)


def test_residual_blocks_add_their_input():
    model = DeepMLP(6, 2, residual=True, input_size=4)
    first, second = model.pre_activations(torch.randn(5, 4))
    torch.testing.assert_close(second, first + model.blocks[0].linear(first.relu()))


def test_batch_norm_comes_before_the_relu():
    block = DeepMLP(6, 2, batch_norm=True).blocks[0]
    z = torch.randn(50, 6) * 3 + 1
    standardized = (z - z.mean(dim=0)) / z.var(dim=0, correction=0).sqrt()
    torch.testing.assert_close(block(z), block.linear(standardized.relu()), rtol=1e-3, atol=1e-3)


def test_batch_norm_makes_the_logits_independent_of_the_scale_of_the_hidden_weights():
    images = torch.randn(50, 20).double()
    model = initialize(DeepMLP(30, 5, batch_norm=True, input_size=20), SCHEMES["kaiming"]).double()
    before = model(images)
    with torch.no_grad():
        for block in model.blocks:
            block.linear.weight *= 1000
    torch.testing.assert_close(model(images), before, rtol=1e-3, atol=1e-3)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        DeepMLP(width=0)


def test_the_small_network_puts_out_ten_logits():
    assert SmallCNN()(torch.randn(3, 1, 28, 28)).shape == (3, 10)
