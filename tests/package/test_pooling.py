"""Blur pooling against OpenCV and SciPy; shifts against NumPy."""

import cv2
import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import nn

from dlbook.pooling import BlurPool2d, binomial, shift


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_binomial_is_the_binomial_distribution(size):
    assert np.allclose(binomial(size), binom.pmf(range(size), size - 1, 0.5))


def test_size_five_is_opencv_s_image_pyramid():
    maps = noise(2, 3, 16, 20)
    blurred = BlurPool2d(5)(maps)
    for image, ours in zip(maps.flatten(0, 1), blurred.flatten(0, 1), strict=True):
        assert np.allclose(ours, cv2.pyrDown(image.numpy()), atol=1e-6)


def test_without_a_stride_it_is_opencv_s_filter():
    image = noise(9, 7)
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    ours = BlurPool2d(3, stride=1)(image[None, None])[0, 0]
    assert np.allclose(ours, cv2.filter2D(image.numpy(), -1, kernel), atol=1e-6)


def test_size_one_only_drops_values():
    maps = noise(1, 2, 7, 6)
    assert torch.equal(BlurPool2d(1)(maps), maps[:, :, ::2, ::2])


def test_it_passes_gradients_and_has_no_parameters():
    layer = BlurPool2d(3).double()
    assert list(layer.parameters()) == []
    maps = noise(1, 2, 6, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(layer, maps)


def test_it_moves_and_copies_with_a_model():
    model = nn.Sequential(BlurPool2d(3))
    assert "0.kernel" in model.state_dict()


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (0, -1), (-2, 3), (4, 4)])
def test_a_shift_moves_and_mirrors(down, right):
    image = np.arange(30.0).reshape(5, 6)
    padded = np.pad(image, 4, mode="reflect")
    expected = padded[4 - down : 9 - down, 4 - right : 10 - right]
    assert np.array_equal(shift(torch.from_numpy(image)[None, None], down, right)[0, 0], expected)


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="odd"):
        BlurPool2d(4)
    with pytest.raises(ValueError, match="at least 1 number"):
        binomial(0)
    with pytest.raises(ValueError, match="move"):
        shift(torch.zeros(1, 1, 4, 4), 4, 0)
