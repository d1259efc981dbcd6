"""Augmentation, against torchvision's own padding, cropping and mirroring."""

import pytest
import torch
from torchvision.transforms.v2 import functional

from dlbook.data import crop_and_flip


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def image():
    """One image of 3 × 8 × 6 whose pixels all differ."""
    return torch.arange(3 * 8 * 6, dtype=torch.uint8).reshape(3, 8, 6)


def variants(image, padding, flip):
    """Every outcome that is possible, by torchvision."""
    padded = functional.pad(image, [padding] * 4, padding_mode="reflect")
    size = 2 * padding + 1
    crops = [
        functional.crop(padded, top, left, *image.shape[1:]) for top in range(size) for left in range(size)
    ]
    return crops + ([functional.horizontal_flip(crop) for crop in crops] if flip else [])


@pytest.mark.parametrize(("padding", "flip"), [(2, True), (0, True), (4, False)])
def test_every_outcome_is_torchvisions_and_all_are_equally_likely(image, generator, padding, flip):
    possible = torch.stack(variants(image, padding, flip))
    count = 100 * len(possible)
    out = crop_and_flip(padding, flip)(image.expand(count, -1, -1, -1), generator)
    assert out.dtype == torch.uint8
    assert out.shape == (count, *image.shape)
    matches = torch.stack([(out == variant).flatten(1).all(dim=1) for variant in possible])
    assert matches.any(dim=0).all()
    # 100 expected of each, with a standard deviation of 10.
    assert (matches.sum(dim=1) - 100).abs().max() < 50


def test_the_images_themselves_stay_as_they_were(image, generator):
    images = image.expand(4, -1, -1, -1).clone()
    crop_and_flip(2)(images, generator)
    assert torch.equal(images, image.expand(4, -1, -1, -1))


def test_each_image_keeps_its_place(generator):
    images = torch.arange(50, dtype=torch.uint8).reshape(50, 1, 1, 1).expand(50, 3, 8, 8)
    assert torch.equal(crop_and_flip(2)(images, generator), images)


def test_a_shift_beyond_what_can_be_reflected_is_refused(image, generator):
    with pytest.raises(ValueError, match="8×6"):
        crop_and_flip(6)(image.unsqueeze(0), generator)


def test_a_negative_padding_is_refused():
    with pytest.raises(ValueError, match="padding"):
        crop_and_flip(-1)
