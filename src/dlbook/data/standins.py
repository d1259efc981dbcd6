"""Offline stand-ins: the same shapes and class counts, from data that installed packages carry."""

import numpy as np
import torch
import torch.nn.functional as F
from skimage import data as photographs
from sklearn.datasets import load_digits, load_sample_image
from torch import Tensor
from torchvision.transforms.v2 import functional

from dlbook.data.dataset import Dataset, Source, Split, checksum
from dlbook.data.registry import REGISTRY


def load(name: str) -> Dataset:
    """Make the stand-in for a registered data set.

    Returns:
        Images of the shape and the classes of what they stand for; the same on every machine.
    """
    train, test, description = _MAKERS[name]()
    source = Source(name, description, is_standin=True, sha256=checksum(train, test), license="BSD-3-Clause")
    return Dataset(f"Stand-in for {REGISTRY[name].title}", train, test, source)


def _digits() -> tuple[Split, Split, str]:
    """Enlarge scikit-learn's 8×8 digits to 20×20 and center them on 28×28, as MNIST's digits are."""
    digits = load_digits()
    small = torch.from_numpy(digits.images).float().unsqueeze(1) * (255 / 16)
    images = F.interpolate(small, size=(20, 20), mode="bilinear").round().to(torch.uint8)
    images = F.pad(images, (4, 4, 4, 4))
    labels = torch.from_numpy(digits.target).long()
    held_out = torch.arange(len(images)) % 5 == 0
    everything = Split(images, labels, REGISTRY["mnist"].classes)
    description = "Made from the 1,797 handwritten digits of 8×8 pixels that scikit-learn carries."
    return everything[~held_out], everything[held_out], description


def _textures() -> tuple[Split, Split, str]:
    """Cut 28×28 pieces from ten gray photographs; which photograph is the class."""
    names = ("brick", "camera", "cell", "clock", "coins", "grass", "gravel", "moon", "page", "text")
    gray = [torch.from_numpy(getattr(photographs, name)()).unsqueeze(0) for name in names]
    return _pieces("fashion_mnist", gray, sides=(28, 84), counts=(120, 30))


def _colors() -> tuple[Split, Split, str]:
    """Cut 32×32 pieces from ten color photographs; which photograph is the class."""
    names = (
        "rocket",
        "retina",
        "chelsea",
        "astronaut",
        "coffee",
        "hubble_deep_field",
        "immunohistochemistry",
    )
    photos = [getattr(photographs, name)() for name in names]
    photos += [photographs.stereo_motorcycle()[0], *map(load_sample_image, ("china.jpg", "flower.jpg"))]
    return _pieces("cifar10", [_tensor(photo) for photo in photos], sides=(32, 96), counts=(150, 50))


def _large_colors() -> tuple[Split, Split, str]:
    """Cut 256×256 pieces from five color photographs; which photograph is the class."""
    photos = [getattr(photographs, name)() for name in ("astronaut", "chelsea", "coffee")]
    photos += map(load_sample_image, ("china.jpg", "flower.jpg"))
    return _pieces("flower_photos", [_tensor(photo) for photo in photos], sides=(64, 110), counts=(80, 20))


def _tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)


def _pieces(
    name: str, photos: list[Tensor], sides: tuple[int, int], counts: tuple[int, int]
) -> tuple[Split, Split, str]:
    """Cut square pieces at random places.

    The right quarter of each photograph is for the test alone, so that no pixel is in both splits.
    """
    entry = REGISTRY[name]
    generator = torch.Generator().manual_seed(0)
    splits = []
    for count, left, right in ((counts[0], 0.0, 0.75), (counts[1], 0.75, 1.0)):
        images = []
        for photo in photos:
            edges = int(left * photo.shape[2]), int(right * photo.shape[2])
            part = photo[:, :, edges[0] : edges[1]]
            images += [_piece(part, sides, entry.shape[-1], generator) for _ in range(count)]
        labels = torch.arange(len(photos)).repeat_interleave(count)
        order = torch.randperm(len(images), generator=generator)
        splits.append(Split(torch.stack(images)[order], labels[order], entry.classes))
    description = (
        f"Made from pieces of {len(photos)} photographs that scikit-image and scikit-learn carry; the "
        "label says which photograph a piece is from, whatever the class is called."
    )
    return splits[0], splits[1], description


def _piece(photo: Tensor, sides: tuple[int, int], size: int, generator: torch.Generator) -> Tensor:
    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    side = draw(sides[0], min(sides[1], *photo.shape[1:]))
    top, left = draw(0, photo.shape[1] - side), draw(0, photo.shape[2] - side)
    return functional.resize(photo[:, top : top + side, left : left + side], [size, size], antialias=True)


_MAKERS = {"mnist": _digits, "fashion_mnist": _textures, "cifar10": _colors, "flower_photos": _large_colors}
