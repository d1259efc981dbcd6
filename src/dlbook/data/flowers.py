"""Flower photos: from a folder a class to tensors."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dlbook.data import photos
from dlbook.data.dataset import Split
from dlbook.data.registry import REGISTRY

_ENTRY = REGISTRY["flower_photos"]


@dataclass(frozen=True)
class Flowers:
    """What the folder of photographs gave: two splits, and where they come from in words."""

    train: Split
    test: Split
    source: str


def folder(directory: Path) -> Path:
    """Return where the photographs lie, below the data directory."""
    return directory / "flower_photos"


def exists(directory: Path) -> bool:
    """Tell whether there is a folder for each class."""
    return all((folder(directory) / name).is_dir() for name in _ENTRY.classes)


def listing_sha256(directory: Path) -> str:
    """Return a checksum of the photographs' names and sizes, which takes milliseconds."""
    facts = sorted(
        f"{name}/{path.name} {path.stat().st_size}"
        for name in _ENTRY.classes
        for path in (folder(directory) / name).iterdir()
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def read(directory: Path) -> Flowers:
    """Decode all photographs.

    Returns:
        Images (N, 3, 256, 256) uint8; about 15 % of them, chosen by their bytes, are the test split.

    Raises:
        DataError: a class has no folder, or a split no photograph that can be decoded.
    """
    found = photos.find(folder(directory), _ENTRY.classes)
    size = _ENTRY.shape[-1]
    train, bad = photos.read([photo for photo in found if not photo.is_test], _ENTRY.classes, size)
    test, also_bad = photos.read([photo for photo in found if photo.is_test], _ENTRY.classes, size)
    names = sorted(str(path.relative_to(folder(directory))) for path in bad + also_bad)
    left_out = f"; left out, as they cannot be decoded: {', '.join(names)}" if names else ""
    return Flowers(train, test, f"{len(train) + len(test):,} photographs{left_out}")
