"""Muon for filters, SGD for the rest: each against PyTorch's own, and the two under one schedule."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import SGD, Muon

from dlbook import data, training
from dlbook.optimizers import MuonSGD
from dlbook.recipes import Recipe

RATE = 0.1
BIAS_RATE = 0.5  # so that the small network here stays in the range of its numbers


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4, bias=False),
    )


def backward(model):
    """Leave the gradients of one batch, the same each time."""
    generator = torch.Generator().manual_seed(1)
    model.zero_grad()
    model(torch.randn(8, 3, 9, 9, generator=generator)).square().sum().backward()


def steps(model, count=3):
    optimizer = MuonSGD(model.parameters(), lr=RATE, bias_rate=BIAS_RATE)
    for _ in range(count):
        backward(model)
        optimizer.step()
    return dict(model.named_parameters())


def test_each_parameter_steps_as_with_pytorchs_own_optimizer_for_it(model):
    """Filters as with Muon on a matrix of norm √6, everything else as with SGD at rates of its own."""
    oracle = copy.deepcopy(model)
    matrix = nn.Parameter(oracle[0].weight.detach().flatten(1).clone())
    optimizers = [
        Muon([matrix], RATE, weight_decay=0.0, momentum=0.6, ns_steps=3),
    ]
    for layer, rate in ((oracle[4], 0.085 * RATE), (oracle[1], BIAS_RATE * RATE)):
        decay = 0.004 / rate
        optimizers.append(SGD(layer.parameters(), rate, 0.85, weight_decay=decay, nesterov=True))
    for _ in range(3):
        backward(oracle)
        matrix.data *= 6**0.5 / matrix.norm()
        matrix.grad = oracle[0].weight.grad.flatten(1)
        for optimizer in optimizers:
            optimizer.step()
        oracle[0].weight.data.copy_(matrix.view(6, 3, 3, 3))
    ours = steps(model)
    for name, expected in oracle.named_parameters():
        torch.testing.assert_close(ours[name], expected, msg=name)


def test_a_step_goes_about_equally_far_in_every_direction(model):
    """Directions whose gradients differ fourfold get steps between a half and one and a half of the rate."""
    before = scaled(model[0].weight.detach())
    backward(model)
    gradient = torch.linalg.svdvals(model[0].weight.grad.flatten(1))
    after = steps(model, count=1)["0.weight"].detach()
    lengths = torch.linalg.svdvals((after - before).flatten(1)) / (RATE)
    assert gradient.max() > 4 * gradient.min()
    assert lengths.min() > 0.5
    assert lengths.max() < 1.5


def scaled(weight):
    """Return a bank of filters with the norm that it has before each step."""
    return weight * len(weight) ** 0.5 / weight.norm()


def test_the_scale_of_filters_makes_no_difference(model):
    other = copy.deepcopy(model)
    other[0].weight.data *= 10
    model[1].eps = other[1].eps = 1e-12  # what batch normalization adds is not scaled
    for first, second in zip(steps(model, count=1).values(), steps(other, count=1).values(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-2, atol=1e-3)


def test_filters_that_are_zero_stay_finite(model):
    model[0].weight.data.zero_()
    assert steps(model, count=1)["0.weight"].isfinite().all()


def test_the_layout_in_memory_makes_no_difference(model):
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    for first, second in zip(steps(model).values(), steps(other).values(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-5)


def test_the_schedule_reaches_the_filters(model):
    """At a rate of almost zero they move no more, and every other rate keeps its ratio to theirs."""
    model[1].requires_grad_(False)  # biases move too fast for so small a network
    recipe = Recipe(1, 8, RATE, optimizer=MuonSGD)
    optimizer, schedule = training.make_optimizer(model.parameters(), recipe, steps=20)
    moved, ratios = [], set()
    for step in range(20):
        before = scaled(model[0].weight.detach())
        backward(model)
        optimizer.step()
        if step < 19:
            schedule.step()
        moved.append((model[0].weight.detach() - before).norm().item())
        filters, matrices = (group["lr"] for group in optimizer.param_groups)
        ratios.add(round(matrices / filters, 9))
    assert moved.index(max(moved)) in range(4, 9)  # the peak is at step 5, and momentum lags behind it
    assert moved[-1] < max(moved) / 1000
    assert ratios == {0.085}


def test_weights_that_are_loaded_between_steps_are_stepped_from(model):
    optimizer = MuonSGD(model.parameters(), lr=RATE)
    model[0].weight.data.fill_(5)
    backward(model)
    optimizer.step()
    expected = scaled(torch.ones(6, 3, 3, 3))
    assert (model[0].weight - expected).norm() < 0.2 * expected.norm()


def test_a_model_whose_filters_are_frozen_is_refused(model):
    model[0].weight.requires_grad_(False)
    recipe = Recipe(1, 8, RATE, optimizer=MuonSGD)
    with pytest.raises(ValueError, match="filters"):
        training.make_optimizer(model.parameters(), recipe, steps=2)


def test_a_filter_without_a_gradient_is_left_out(model):
    unused = nn.Conv2d(1, 2, 3)
    optimizer = MuonSGD([*model.parameters(), *unused.parameters()], lr=RATE)
    before = unused.weight.detach().clone()
    backward(model)
    optimizer.step()
    assert torch.equal(unused.weight, before)


def test_training_that_is_resumed_equals_training_that_was_not_interrupted(model, tmp_path):
    """All that the next step depends on is in the saved state: momenta, rates, the place in the schedule."""
    muon_sgd = partial(MuonSGD, matrix_rate=0.01, bias_rate=0.02)  # so that eight steps do not diverge
    recipe = Recipe(1, 8, RATE, optimizer=muon_sgd, schedule="linear")

    def begin(model):
        return training.make_optimizer(model.parameters(), recipe, steps=8)

    def go_on(model, optimizer, schedule):
        for _ in range(4):
            backward(model)
            optimizer.step()
            schedule.step()

    optimizer, schedule = begin(model)
    go_on(model, optimizer, schedule)
    path = tmp_path / "state.pt"
    torch.save([part.state_dict() for part in (model, optimizer, schedule)], path)
    go_on(model, optimizer, schedule)

    resumed = copy.deepcopy(model)
    parts = (resumed, *begin(resumed))
    for part, state in zip(parts, torch.load(path), strict=True):
        part.load_state_dict(state)
    go_on(*parts)
    for name, value in resumed.state_dict().items():
        assert value.isfinite().all(), name
        assert torch.equal(value, model.state_dict()[name]), name


def test_gradients_survive_the_step(model):
    optimizer = MuonSGD(model.parameters(), lr=RATE)
    backward(model)
    before = [parameter.grad.clone() for parameter in model.parameters()]
    optimizer.step()
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_a_closure_computes_the_gradients_of_its_step(model):
    other = copy.deepcopy(model)
    optimizer = MuonSGD(other.parameters(), lr=RATE, bias_rate=BIAS_RATE)

    def closure():
        backward(other)
        return 7.0

    assert optimizer.step(closure) == 7.0
    for first, second in zip(steps(model, count=1).values(), other.parameters(), strict=True):
        assert torch.equal(first, second)


def test_muon_learns(two_classes):
    """Only the filters are trained, so that no other layer can make up for them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    model[3].requires_grad_(False)
    recipe = Recipe(epochs=10, batch_size=20, peak_learning_rate=0.1, optimizer=MuonSGD)
    feed = training.Feed(two_classes, two_classes, data.standardize(two_classes))
    assert training.fit(model, feed, recipe).validation_score[-1] == 1
