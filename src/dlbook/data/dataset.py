"""The shape of a data set: two splits of images and labels, and where they came from."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dlbook.data.files import sha256_of_arrays
from dlbook.data.source import DataError, Source

# Images (N, C, H, W) uint8 and labels (N,) int64, as what reads files without PyTorch returns them.
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Split:
    """Labeled images.

    Attributes:
        images: (N, C, H, W) uint8, 0 to 255.
        labels: (N,) int64, 0 to ``len(classes) - 1``.
        classes: the name of each label.

    Raises:
        DataError: the tensors do not have these shapes, dtypes or ranges, or there is no image.
    """

    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.ndim != 4 or images.dtype != torch.uint8:
            raise DataError(
                f"images must be (N, C, H, W) uint8, not {tuple(images.shape)} {images.dtype}; "
                "add missing axes with unsqueeze, and keep pixels as 0 to 255"
            )
        if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
            raise DataError(
                f"labels must be ({len(images)},) int64, one for each image, "
                f"not {tuple(labels.shape)} {labels.dtype}"
            )
        if len(images) == 0:
            raise DataError("a split needs at least one image; this one is empty")
        if not (labels.min() >= 0 and labels.max() < len(self.classes)):
            raise DataError(
                f"labels must lie in 0 to {len(self.classes) - 1}, "
                f"but these run from {labels.min()} to {labels.max()}"
            )

    @classmethod
    def of(cls, arrays: Arrays, classes: tuple[str, ...]) -> "Split":
        """Return a split that shares its memory with the arrays."""
        images, labels = map(torch.from_numpy, arrays)
        return cls(images, labels, classes)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, indices: Tensor | slice) -> "Split":
        """Return the images and labels at ``indices``, an int64 or bool tensor or a slice."""
        return Split(self.images[indices], self.labels[indices], self.classes)

    def to(self, device: torch.device) -> "Split":
        """Return the split on ``device``."""
        return Split(self.images.to(device), self.labels.to(device), self.classes)


@dataclass(frozen=True, repr=False)
class Dataset:
    """A data set in its official splits; it shows its source when it is the last line of a cell."""

    title: str
    train: Split
    test: Split
    source: Source

    def __repr__(self) -> str:
        shape = "×".join(str(size) for size in self.train.images.shape[1:])
        return (
            f"{self.title}: {len(self.train):,} training and {len(self.test):,} test images "
            f"of {shape}, {len(self.train.classes)} classes. {self.source.description}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>"


@dataclass(frozen=True)
class Content:
    """What is kept of a data set on this machine.

    Attributes:
        train: the training split.
        test: the test split.
        source: where the data come from, in words.
        source_sha256: checksum of what they were made from; empty where nobody knows.
        origin: ``original`` where that is what the data set's authors published, else ``copy``.
        sha256: checksum of the pixels and labels; empty where it was not written down.
    """

    train: Split
    test: Split
    source: str
    source_sha256: str
    origin: str
    sha256: str = ""

    def completed(self) -> "Content":
        """Return the same with its checksum, which is computed where it was not written down."""
        return self if self.sha256 else replace(self, sha256=checksum(self.train, self.test))


def checksum(*splits: Split) -> str:
    """Return the SHA-256, as 64 hexadecimal digits, over the splits' pixels and labels in order."""
    tensors = (tensor for split in splits for tensor in (split.images, split.labels))
    return sha256_of_arrays(tensor.contiguous().cpu().numpy() for tensor in tensors)


def random_split(split: Split, fractions: Sequence[float], seed: int = 0) -> tuple[Split, ...]:
    """Deal a split at random into parts that share no image.

    Args:
        split: what to deal.
        fractions: the size of each part; positive, summing to 1.
        seed: the same seed deals the same way on every machine.

    Returns:
        One split for each fraction. Sizes are rounded to the nearest boundary, so that every image
        lands in exactly one part.

    Raises:
        ValueError: the fractions are not positive, or do not sum to 1.
        DataError: a part would be empty.
    """
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions must be positive and sum to 1, not {list(fractions)}")
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    edges = torch.tensor(fractions, dtype=torch.float64).cumsum(0).mul(len(split)).round().long()
    return tuple(split[part.to(split.images.device)] for part in order.tensor_split(edges[:-1]))
