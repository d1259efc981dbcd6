"""Offline stand-ins: the same shapes and class counts, from data that installed packages carry."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from skimage import data as photographs
from sklearn.datasets import load_digits, load_sample_image
from torch import Tensor
from torchvision.transforms.v2 import functional

from dlbook.data.dataset import Dataset, Split, checksum
from dlbook.data.image_sets import ImageSet
from dlbook.data.source import Source


def digits(entry: ImageSet) -> Dataset:
    """Enlarge scikit-learn's 8×8 digits to 20×20 and center them on 28×28, as MNIST's digits are.

    Args:
        entry: what they stand for; images of (1, 28, 28) and ten classes.
    """
    loaded = load_digits()
    small = torch.from_numpy(loaded.images).float().unsqueeze(1) * (255 / 16)
    images = F.interpolate(small, size=(20, 20), mode="bilinear").round().to(torch.uint8)
    images = F.pad(images, (4, 4, 4, 4))
    labels = torch.from_numpy(loaded.target).long()
    held_out = torch.arange(len(images)) % 5 == 0
    everything = Split(images, labels, entry.classes)
    description = "Made from the 1,797 handwritten digits of 8×8 pixels that scikit-learn carries."
    return _standin(entry, everything[~held_out], everything[held_out], description)


def pieces(entry: ImageSet, names: Sequence[str], sides: tuple[int, int], counts: tuple[int, int]) -> Dataset:
    """Cut square pieces at random places of photographs; which photograph is the class.

    The right quarter of each photograph is for the test alone, so that no pixel is in both splits.

    Args:
        entry: what they stand for; its shape says the size of the images and whether they have colors.
        names: of the photographs, as `dlbook.data.standin_kinds.Pieces` says.
        sides: the smallest and the largest side of a piece, in pixels of its photograph.
        counts: pieces of each photograph for training and for the test.
    """
    photos = [_photograph(name) for name in names]
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
    return _standin(entry, splits[0], splits[1], description)


def _photograph(name: str) -> Tensor:
    """Return a photograph as (C, H, W) uint8; of a stereo pair, the left one."""
    found = load_sample_image(name) if name.endswith(".jpg") else getattr(photographs, name)()
    pixels = found[0] if isinstance(found, tuple) else found
    return torch.from_numpy(np.atleast_3d(pixels).copy()).permute(2, 0, 1)


def _piece(photo: Tensor, sides: tuple[int, int], size: int, generator: torch.Generator) -> Tensor:
    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    side = draw(sides[0], min(sides[1], *photo.shape[1:]))
    top, left = draw(0, photo.shape[1] - side), draw(0, photo.shape[2] - side)
    return functional.resize(photo[:, top : top + side, left : left + side], [size, size], antialias=True)


def _standin(entry: ImageSet, train: Split, test: Split, description: str) -> Dataset:
    sha256 = checksum(train, test)
    source = Source(entry.name, description, is_standin=True, sha256=sha256, license="BSD-3-Clause")
    return Dataset(f"Stand-in for {entry.title}", train, test, source)
