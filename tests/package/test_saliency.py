"""Saliency maps against closed forms, and rank correlation against SciPy."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from dlbook.models import copy_weights
from dlbook.saliency import grad_cam, occlusion, randomize, rank_correlation


@pytest.fixture
def model():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)).eval()


@pytest.fixture
def images():
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


CLASSES = torch.tensor([0, 1, 2, 3, 0])


@torch.no_grad()
def test_grad_cam_before_a_global_average_is_the_class_activation_map(model, images):
    """Zhou et al. (2016): the class's own weights, times the maps; their mean, with bias, is the logit."""
    maps = grad_cam(model, "2", images, CLASSES)
    by_hand = torch.einsum("nc,nchw->nhw", model[5].weight[CLASSES], model[:3](images))
    assert torch.allclose(maps * 64, by_hand, atol=1e-6)
    logits = model(images).gather(1, CLASSES[:, None]).squeeze(1)
    assert torch.allclose(maps.sum(dim=(1, 2)) + model[5].bias[CLASSES], logits, atol=1e-6)


def test_grad_cam_works_on_frozen_weights_and_leaves_no_gradients(model, images):
    expected = grad_cam(model, "2", images, CLASSES)
    assert all(parameter.grad is None for parameter in model.parameters())
    model.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(grad_cam(model, "2", images, CLASSES), expected)


def test_occlusion_of_a_linear_model_is_what_the_patch_contributed(images):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    drops = occlusion(linear, images, CLASSES, patch=2, step=2)
    shares = linear[1].weight[CLASSES].reshape(5, 3, 8, 8) * images
    expected = shares.sum(dim=1).unfold(1, 2, 2).unfold(2, 2, 2).sum(dim=(3, 4))
    assert drops.shape == (5, 4, 4)
    assert torch.allclose(drops, expected, atol=1e-5)


def test_occlusion_with_what_is_there_changes_nothing(model):
    flat = torch.full((2, 3, 8, 8), 0.5)
    assert torch.equal(occlusion(model, flat, CLASSES[:2], 3, 1, fill=0.5), torch.zeros(2, 6, 6))


def test_randomize_changes_those_layers_of_a_copy(model):
    before = copy_weights(model)
    changed = copy_weights(randomize(model, ["5"], seed=3))
    moved = {name for name in before if not torch.equal(before[name], changed[name])}
    assert moved == {"5.weight", "5.bias"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_randomize_draws_by_its_seed_alone(model):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (randomize(model, ["0"], seed)[0].weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.rand(3), expected)


def test_rank_correlation_is_scipy_s_with_ties():
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randint(0, 6, (2, 4, 5, 5), generator=generator).float()
    ours = rank_correlation(first, second)
    for image in range(4):
        expected = spearmanr(first[image].flatten(), second[image].flatten()).statistic
        assert ours[image].item() == pytest.approx(expected)


def test_rank_correlation_knows_order_only():
    maps = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    assert rank_correlation(maps, maps.exp()).tolist() == pytest.approx([1, 1])
    assert rank_correlation(maps, -maps).tolist() == pytest.approx([-1, -1])
    assert rank_correlation(maps, torch.zeros(2, 3, 3)).isnan().all()


def test_bad_input_is_refused(model, images):
    with pytest.raises(ValueError, match="8×8"):
        occlusion(model, images, CLASSES, patch=9, step=1)
    with pytest.raises(ValueError, match="no weights"):
        randomize(model, ["2"])
    with pytest.raises(ValueError, match="one shape"):
        rank_correlation(images, images[:2])
