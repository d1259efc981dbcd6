"""The chain of named layers: shapes, names, and the exchange of its pooling."""

import pytest
import torch
from torch import nn

from dlbook.models import count_parameters
from dlbook.models.layered_cnn import layered_cnn, max_blur_pool


def test_the_default_has_three_stages_with_two_poolings_between():
    model = layered_cnn()
    names = [name for name, _ in model.named_children()]
    assert names[:5] == ["conv1", "norm1", "relu1", "pool1", "conv2"]
    assert names[-5:] == ["norm3", "relu3", "average", "flatten", "linear"]
    expected = (3 * 16 * 25 + 16 * 32 * 9 + 32 * 64 * 9) + 2 * (16 + 32 + 64) + (64 * 10 + 10)
    assert count_parameters(model) == expected


@pytest.mark.parametrize("pool", [lambda: nn.MaxPool2d(2), lambda: nn.AvgPool2d(2), max_blur_pool])
def test_every_pooling_halves_twice_and_any_image_size_works(pool):
    model = layered_cnn(pool=pool).eval()
    assert model[:11](torch.zeros(2, 3, 32, 32)).shape == (2, 64, 8, 8)
    assert model(torch.zeros(2, 3, 44, 36)).shape == (2, 10)


def test_max_blur_pooling_adds_no_parameters():
    assert count_parameters(layered_cnn(pool=max_blur_pool)) == count_parameters(layered_cnn())


def test_max_blur_pooling_keeps_a_constant():
    flat = torch.full((1, 2, 8, 8), 3.0)
    assert torch.allclose(max_blur_pool()(flat), torch.full((1, 2, 4, 4), 3.0))


def test_bad_sizes_are_refused():
    for widths, kernel in (((), 5), ((16, 0), 5), ((16,), 4)):
        with pytest.raises(ValueError, match="odd kernel"):
            layered_cnn(widths, first_kernel=kernel)
