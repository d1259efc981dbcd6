"""The networks: their size, their output, and what they refuse."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlbook import models
from dlbook.models.mlp import MLP


def test_the_chapters_network_has_the_published_size():
    assert models.count_parameters(MLP((784, 512, 512, 10))) == 669_706


def test_frozen_parameters_are_not_counted():
    model = MLP((4, 3, 2))
    model.layers[1].weight.requires_grad_(False)
    assert models.count_parameters(model) == 3 + 3 * 2 + 2


def test_the_forward_pass_is_the_formula():
    model = MLP((16, 8, 5, 3), dropout=0.5).eval()
    w1, b1, w2, b2, w3, b3 = model.parameters()
    images = torch.rand(7, 1, 4, 4)
    hidden = F.relu(images.reshape(7, 16) @ w1.T + b1)
    expected = F.relu(hidden @ w2.T + b2) @ w3.T + b3
    torch.testing.assert_close(model(images), expected)


def test_dropout_acts_in_training_only():
    model = MLP((16, 8, 3), dropout=0.5)
    images = torch.rand(7, 1, 4, 4)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


@pytest.mark.parametrize("sizes", [(784,), (784, 0, 10)])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="at least an input and an output size"):
        MLP(sizes)


def test_an_impossible_dropout_is_refused():
    with pytest.raises(ValueError, match="probability"):
        MLP((4, 2), dropout=1.0)


def test_images_of_the_wrong_size_are_refused():
    with pytest.raises(ValueError, match=r"takes 784 values an image.*\(2, 3, 32, 32\) have 3072"):
        MLP()(torch.rand(2, 3, 32, 32))


def test_raw_pixels_are_refused_with_advice():
    with pytest.raises(ValueError, match=r"uint8.*standardize"):
        MLP()(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))


def test_copied_weights_do_not_change_with_the_model():
    model = nn.Linear(2, 2)
    copy = models.copy_weights(model)
    before = copy["weight"].clone()
    with torch.no_grad():
        model.weight += 1
    assert torch.equal(copy["weight"], before)
