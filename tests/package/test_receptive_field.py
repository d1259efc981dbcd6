"""Receptive fields: the formula, the gradients, and published numbers must agree."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import alexnet, vgg16

from dlbook.pooling import BlurPool2d
from dlbook.receptive_field import ReceptiveField, by_formula, effective_size, influence, support


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(("build", "size", "stride"), [(alexnet, 195, 32), (vgg16, 212, 32)])
def test_the_formula_gives_the_published_fields(build, size, stride):
    """The numbers of Araujo et al. (2019), Table 1."""
    with torch.device("meta"):  # no weights: the windows say it all
        last = by_formula(build(weights=None).features)[-1]
    assert (last.size, last.stride) == (size, stride)


def test_padding_moves_the_field_and_not_its_size():
    assert ReceptiveField().after(5, padding=2) == ReceptiveField(5, 1, -2)
    assert ReceptiveField(5, 2, -2).after(3, 2, 1, dilation=2) == ReceptiveField(13, 4, -4)
    assert list(ReceptiveField(3, 2, -1).pixels(4)) == [7, 8, 9]


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Conv2d(2, 3, 4)],
        [nn.Conv2d(2, 3, 3, dilation=3, padding=1), nn.Conv2d(3, 2, 3, stride=2)],
        [nn.Conv2d(2, 4, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3), nn.MaxPool2d(3, 2)],
        [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.AvgPool2d(3, stride=2, padding=1), BlurPool2d(3)],
    ],
)
def test_formula_and_gradients_agree_after_every_layer(layers):
    torch.manual_seed(0)
    model = nn.Sequential(*layers).double().eval()
    images = noise(200, 2, 40, 40)
    for depth, field in enumerate(by_formula(layers), start=1):
        place = model[:depth](images[:1]).shape[-1] // 2
        rows, columns = support(influence(model[:depth], images, place, place))
        assert rows == columns == field.pixels(place)


def test_filters_that_cancel_are_seen():
    layer = nn.Conv2d(1, 2, 3, bias=False).double()
    layer.weight.data[1] = -layer.weight.data[0]
    assert (influence(layer, noise(1, 1, 7, 7), 2, 2) > 0).sum() == 9


def test_equal_weights_give_the_closed_form_of_repeated_averaging():
    """N boxes of width k in a row: a profile of variance n (k² - 1) / 12 along each axis."""
    count, kernel = 6, 3
    layers = [nn.Conv2d(1, 1, kernel, bias=False) for _ in range(count)]
    for layer in layers:
        nn.init.ones_(layer.weight)
    model = nn.Sequential(*layers).double()
    profile = influence(model, noise(1, 1, 13, 13), 0, 0).sqrt().sum(dim=0)
    expected = np.ones(1)
    for _ in range(count):
        expected = np.convolve(expected, np.ones(kernel))
    assert np.allclose(profile / profile.sum(), expected / expected.sum())
    places = torch.arange(13) - 6
    variance = (profile / profile.sum() * places**2).sum().item()
    assert variance == pytest.approx(count * (kernel**2 - 1) / 12)


def test_the_effective_size_of_an_even_influence_follows_from_its_area():
    even = torch.zeros(30, 30)
    even[3:14, 5:16] = 1
    assert effective_size(even, share=1) == 11
    assert effective_size(even, share=81 / 121) == 9
    assert effective_size(even, share=82 / 121) == 11


def test_the_effective_size_of_a_point_is_one_pixel():
    point = torch.full((9, 9), 1e-6)
    point[4, 4] = 1
    assert effective_size(point) == 1


def test_it_refuses_what_has_no_field():
    with pytest.raises(ValueError, match="Flatten"):
        by_formula([nn.Flatten()])
    with pytest.raises(ValueError, match="square"):
        by_formula([nn.Conv2d(1, 1, (3, 5))])
    with pytest.raises(ValueError, match="square"):
        by_formula([nn.Conv2d(1, 1, 3, padding="same")])
    with pytest.raises(ValueError, match="window"):
        ReceptiveField().after(0)
    with pytest.raises(ValueError, match="zero"):
        support(torch.zeros(3, 3))
