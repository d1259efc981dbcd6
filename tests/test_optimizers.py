"""Muon for filters, AdamW for the rest: each against PyTorch's own, and the two under one schedule."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import AdamW, Muon

from dlbook import data, training
from dlbook.optimizers import MuonAdamW

RATE, DECAY = 0.01, 0.4


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )


def backward(model):
    """Leave the gradients of one batch, the same each time."""
    generator = torch.Generator().manual_seed(1)
    model.zero_grad()
    model(torch.randn(8, 3, 9, 9, generator=generator)).square().sum().backward()


def steps(model, count=3):
    optimizer = MuonAdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    for _ in range(count):
        backward(model)
        optimizer.step()
    return dict(model.named_parameters())


def test_each_parameter_steps_as_with_pytorchs_own_optimizer_for_it(model):
    """Filters as with Muon on a matrix, everything else as with AdamW that does not decay."""
    oracle = copy.deepcopy(model)
    matrix = nn.Parameter(oracle[0].weight.detach().flatten(1).clone())
    rest = [parameter for parameter in oracle.parameters() if parameter.ndim < 4]
    optimizers = [
        Muon([matrix], RATE, DECAY, momentum=0.9, adjust_lr_fn="match_rms_adamw"),
        AdamW(rest, RATE, weight_decay=0.0),
    ]
    for _ in range(3):
        backward(oracle)
        matrix.grad = oracle[0].weight.grad.flatten(1)
        for optimizer in optimizers:
            optimizer.step()
        oracle[0].weight.data.copy_(matrix.view(6, 3, 3, 3))
    ours = steps(model)
    for name, expected in oracle.named_parameters():
        torch.testing.assert_close(ours[name], expected, msg=name)


def test_a_step_goes_about_equally_far_in_every_direction(model):
    """Muon's five iterations bring singular values to between 0.5 and 1.5 (as its authors say), from any."""
    before = model[0].weight.detach().clone()
    after = steps(model, count=1)["0.weight"].detach()
    step = (after - before * (1 - RATE * DECAY)).flatten(1)
    lengths = torch.linalg.svdvals(step) / (RATE * 0.2 * 27**0.5)
    assert lengths.min() > 0.5
    assert lengths.max() < 1.5


def test_the_layout_in_memory_makes_no_difference(model):
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)
    for first, second in zip(steps(model).values(), steps(other).values(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-5)


def test_the_schedule_reaches_the_filters(model):
    """At a rate of almost zero nothing moves any more, neither filters nor the rest."""
    recipe = training.Recipe(1, 8, RATE, weight_decay=DECAY, muon=True)
    optimizer, schedule = training.make_optimizer(model, recipe, steps=20)
    moved = []
    for step in range(20):
        before = model[0].weight.detach().clone()
        backward(model)
        optimizer.step()
        if step < 19:
            schedule.step()
        moved.append((model[0].weight.detach() - before).norm().item())
    assert moved.index(max(moved)) in (4, 5, 6)
    assert moved[-1] < max(moved) / 1000


def test_weights_that_are_loaded_between_steps_are_stepped_from(model):
    optimizer = MuonAdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    model[0].weight.data.fill_(5)
    backward(model)
    optimizer.step()
    assert model[0].weight.min() > 4


def test_a_model_whose_filters_are_frozen_is_refused(model):
    model[0].weight.requires_grad_(False)
    recipe = training.Recipe(1, 8, RATE, muon=True)
    with pytest.raises(ValueError, match=r"filters.*has none"):
        training.make_optimizer(model, recipe, steps=2)


def test_a_filter_without_a_gradient_is_left_out(model):
    unused = nn.Conv2d(1, 2, 3)
    optimizer = MuonAdamW([*model.parameters(), *unused.parameters()], lr=RATE, weight_decay=DECAY)
    before = unused.weight.detach().clone()
    backward(model)
    optimizer.step()
    assert torch.equal(unused.weight, before)


def test_a_closure_is_refused(model):
    optimizer = MuonAdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    with pytest.raises(ValueError, match="no closure"):
        optimizer.step(lambda: 0.0)


def test_muon_learns(two_classes):
    """Only the filters are trained, so that no other layer can make up for them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2))
    model[3].requires_grad_(False)
    recipe = training.Recipe(epochs=10, batch_size=20, peak_learning_rate=0.1, muon=True)
    history = training.fit(model, two_classes, two_classes, recipe, data.standardize(two_classes))
    assert history.validation_accuracy[-1] == 1
