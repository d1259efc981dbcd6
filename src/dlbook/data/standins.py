"""Offline stand-ins: the same shapes and class counts, from data that installed packages carry."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

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


_MAKERS = {"mnist": _digits}
