"""The whitening stem and its network: what they start as, and what training moves."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlbook import data, models, training
from dlbook.models.whitened_cnn import WhitenedCNN, whitening_stem
from dlbook.optimizers import MuonSGD
from dlbook.recipes import Recipe


@pytest.fixture
def smooth():
    """Return images whose neighboring pixels are strongly correlated, as photographs' are."""
    noise = torch.randn(200, 3, 18, 18, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(noise, 3, stride=1)


def moments(outputs):
    """Return the second moments of the channels (C, C), over all images and places."""
    rows = outputs.transpose(0, 1).flatten(1)
    return rows @ rows.T / rows.shape[1]


def test_the_outputs_are_uncorrelated_and_of_mean_square_one(smooth):
    patches = moments(F.unfold(smooth, 2))
    assert (patches - patches.diag().diag()).abs().max() > 0.5 * patches.diag().max()
    convolution, _ = whitening_stem(smooth, epsilon=0.0)
    whitened = convolution(smooth)
    assert whitened.shape == (200, 24, 15, 15)
    torch.testing.assert_close(moments(whitened[:, :12]), torch.eye(12), rtol=0, atol=1e-3)
    torch.testing.assert_close(whitened[:, 12:], -whitened[:, :12])


def test_the_filters_come_in_the_order_of_the_patches_variance(smooth):
    """A filter divides by the standard deviation of its direction, so its own length tells it."""
    convolution, _ = whitening_stem(smooth, epsilon=0.0)
    lengths = convolution.weight[:12].flatten(1).norm(dim=1)
    variances = torch.linalg.eigvalsh(moments(F.unfold(smooth, 2))).flip(0)
    torch.testing.assert_close(lengths, variances.rsqrt(), rtol=1e-3, atol=0)


def test_a_direction_that_does_not_vary_is_not_blown_up():
    gray = torch.randn(50, 1, 8, 8, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    convolution, _ = whitening_stem(gray, epsilon=5e-4)
    assert convolution(gray).isfinite().all()
    assert convolution.weight.flatten(1).norm(dim=1).max() <= 5e-4**-0.5 * (1 + 1e-3)


def test_the_first_convolution_of_a_stage_sees_it_before_it_is_pooled(smooth):
    model = WhitenedCNN(smooth, (5, 7))
    shapes = []
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape[1:])))
    assert model(smooth[:1]).shape == (1, 10)
    assert shapes == [(24, 15, 15), (5, 15, 15), (5, 7, 7), (7, 7, 7), (7, 3, 3)]


def test_convolutions_start_as_the_identity_on_what_they_take_in(smooth):
    model = WhitenedCNN(smooth, (30, 5))
    taken = torch.rand(2, 24, 15, 15)
    widening = model.stages[0][0][0](taken)
    torch.testing.assert_close(widening[:, :24], taken)
    assert not torch.equal(widening[:, 24], widening[:, 25])
    narrowing = model.stages[1][0][0](widening)
    torch.testing.assert_close(narrowing, widening[:, :5])


def test_training_leaves_the_whitening_filters_and_the_scales_alone(smooth):
    """All else moves: what has no gradient by design must not be more than that."""
    split = data.Split((smooth * 40 + 128).to(torch.uint8), torch.arange(200) % 2, ("0", "1"))
    transform = data.standardize(split)
    model = WhitenedCNN(transform(split.images), (4,), class_count=2)
    before = models.copy_weights(model)
    recipe = Recipe(1, 100, 0.24, optimizer=MuonSGD, schedule="linear")
    training.fit(model, training.Feed(split, split, transform), recipe)
    moved = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert set(before) - moved >= {"stem.0.weight", "stages.0.0.2.weight", "stages.0.1.1.weight"}
    filters = {"stages.0.0.0.weight", "stages.0.1.0.weight"}
    assert moved == filters | {"stem.0.bias", "stages.0.0.2.bias", "stages.0.1.1.bias", "head.2.weight"}


def test_impossible_widths_are_refused(smooth):
    for widths in ((), (4, 0)):
        with pytest.raises(ValueError, match="at least one stage, and sizes ≥ 1"):
            WhitenedCNN(smooth, widths)


@pytest.mark.parametrize("images", [torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(2, 3, 1, 8)])
def test_what_is_no_batch_of_images_is_refused(images):
    with pytest.raises(ValueError, match=r"at least 2 pixels a side, not torch\.\w+ of shape"):
        whitening_stem(images)
