"""Hooks: what they note, and that they go away."""

import pytest
import torch
from torch import nn

from dlbook.activations import capture


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()


@pytest.fixture
def images():
    return torch.randn(5, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def hook_count(model):
    return sum(len(module._forward_hooks) for module in model.modules())


def test_it_notes_what_the_layers_put_out(model, images):
    with capture(model, ["3", "0"]) as outputs:
        assert outputs == {}
        logits = model(images)
    assert list(outputs) == ["0", "3"]
    assert torch.equal(outputs["0"], model[0](images))
    assert torch.equal(outputs["3"], logits)
    assert not outputs["0"].requires_grad


def test_the_hooks_go_when_the_block_ends(model, images):
    with capture(model, ["0", "1"]) as outputs:
        assert hook_count(model) == 2
    assert hook_count(model) == 0
    model(images)
    assert outputs == {}


def test_the_hooks_go_when_the_block_fails(model):
    with pytest.raises(RuntimeError), capture(model, ["0", "1"]):
        model(torch.zeros(5, 2, 4, 4))
    assert hook_count(model) == 0


def test_an_unknown_layer_leaves_no_hook_and_names_the_known_ones(model):
    with pytest.raises(ValueError, match=r"'conv'.*0, 1, 2, 3"), capture(model, ["0", "conv"]):
        pass
    assert hook_count(model) == 0


def test_an_in_place_layer_does_not_change_what_was_noted(model, images):
    before = model[0](images)
    model[1] = nn.ReLU(inplace=True)
    with capture(model, ["0"]) as outputs:
        model(images)
    assert torch.equal(outputs["0"], before)
    assert (before < 0).any()


def test_outputs_can_stay_differentiable(model, images):
    with capture(model, ["1"], keep_graph=True) as outputs:
        logits = model(images)
    (gradient,) = torch.autograd.grad(logits[:, 2].sum(), outputs["1"])
    assert torch.allclose(gradient.flatten(1), model[3].weight[2].expand(5, -1))
