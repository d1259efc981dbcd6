"""The networks: their size, their output, and what cannot be built."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlbook import models
from dlbook.models.cnn import CNN
from dlbook.models.mlp import MLP
from dlbook.optimizers import MuonSGD


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


def test_copied_weights_do_not_change_with_the_model():
    model = nn.Linear(2, 2)
    copy = models.copy_weights(model)
    before = copy["weight"].clone()
    with torch.no_grad():
        model.weight += 1
    assert torch.equal(copy["weight"], before)


def test_the_cnn_is_its_parts_in_order():
    model = CNN((4, 5, 6)).eval()
    conv1, norm1, _, conv2, _, norm2, _, conv3, _, norm3, _, _, _, linear = model.layers
    images = torch.rand(2, 3, 16, 16)
    hidden = F.gelu(norm1(F.conv2d(images, conv1.weight, stride=2, padding=1)))
    assert hidden.shape == (2, 4, 8, 8)
    hidden = F.gelu(norm2(F.max_pool2d(F.conv2d(hidden, conv2.weight, padding=1), 2)))
    hidden = F.gelu(norm3(F.max_pool2d(F.conv2d(hidden, conv3.weight, padding=1), 2)))
    assert hidden.shape == (2, 6, 2, 2)
    largest = hidden.flatten(2).max(dim=2).values
    torch.testing.assert_close(model(images), largest @ linear.weight.T + linear.bias)


def test_the_cnns_parameters_follow_from_its_numbers():
    # 3×3 (4×4 at first) weights a channel pair, two parameters a channel of batch norm, the linear layer.
    expected = 16 * 3 * 4 + 2 * 4 + (9 * 4 * 6 + 2 * 6) + (9 * 6 * 7 + 2 * 7) + 7 * 10 + 10
    assert models.count_parameters(CNN((4, 6, 7))) == expected
    without = 16 * 3 * 4 + 4 + (9 * 4 * 6 + 6) + (9 * 6 * 7 + 7) + 7 * 10 + 10
    assert models.count_parameters(CNN((4, 6, 7), batch_norm=False)) == without


def test_the_cnn_refuses_what_it_cannot_build():
    with pytest.raises(ValueError, match="at least one convolution"):
        CNN(())
    with pytest.raises(ValueError, match="sizes ≥ 1"):
        CNN((8, 0))


def test_training_flops_are_those_of_the_formula():
    """The gradient of weights costs a forward pass; so does that of inputs, which the first needs none of."""
    model = CNN((4, 6))
    first, second, head = 2 * 16**2 * 16 * 3 * 4, 2 * 16**2 * 9 * 4 * 6, 2 * 6 * 10
    mean = model.layers[1].running_mean.clone()
    flops = models.training_flops(model, torch.rand(2, 3, 32, 32))
    assert flops == 2 * first + 3 * (second + head)
    assert torch.equal(model.layers[1].running_mean, mean)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_steps_flops_are_those_of_the_iterations():
    """Muon's three iterations on a matrix of 4×48 take three products each: A Aᵀ, its square, and with A."""
    model = CNN((4, 6))
    adamw = torch.optim.AdamW(model.parameters())
    assert models.step_flops(adamw) == 0
    shapes = ((4, 48), (6, 36))
    expected = sum(3 * 2 * (2 * rows**2 * columns + rows**3) for rows, columns in shapes)
    assert models.step_flops(MuonSGD(model.parameters(), lr=0.1)) == expected
