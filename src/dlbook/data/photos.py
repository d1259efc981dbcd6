"""Photographs in one folder a class: decoded, oriented, cut to one size, and split by their content."""

import hashlib
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms import functional

from dlbook import runtime
from dlbook.data.dataset import Split
from dlbook.data.source import DataError

# About this share of the photographs becomes the test split.
TEST_SHARE = 0.15


@dataclass(frozen=True)
class Photo:
    """A photograph's file, its class, and the SHA-256 of its bytes."""

    path: Path
    label: int
    digest: bytes

    @property
    def is_test(self) -> bool:
        """True where the photograph belongs to the test split: its bytes decide, and nothing else."""
        return int.from_bytes(self.digest[:8], "big") < TEST_SHARE * 2**64


def find(folder: Path, classes: Sequence[str]) -> list[Photo]:
    """Return the files in each class's folder, ordered by their checksums.

    Raises:
        DataError: a class has no folder.
    """
    paths, labels = [], []
    for label, name in enumerate(classes):
        if not (folder / name).is_dir():
            raise DataError(f"{folder} needs a folder {name!r} of photographs, and has none")
        found = [path for path in (folder / name).iterdir() if path.is_file() and path.name[0] != "."]
        paths += found
        labels += [label] * len(found)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(lambda path: hashlib.sha256(path.read_bytes()).digest(), paths)
        photos = [Photo(*facts) for facts in zip(paths, labels, digests, strict=True)]
    return sorted(photos, key=lambda photo: (photo.digest, photo.path))


def read(photos: Sequence[Photo], classes: tuple[str, ...], size: int) -> tuple[Split, list[Path]]:
    """Decode photographs.

    The shorter side becomes ``size`` pixels (antialiased) and the middle of the longer one is kept, as
    by torchvision's ``Resize(size)`` and ``CenterCrop(size)``.

    Args:
        photos: what to decode.
        classes: the name of each label.
        size: height and width of the images.

    Returns:
        Images (N, 3, size, size) uint8 in the photographs' order, and the files that cannot be decoded.

    Raises:
        DataError: not one photograph can be decoded.
    """
    images = torch.empty(len(photos), 3, size, size, dtype=torch.uint8)
    labels = torch.tensor([photo.label for photo in photos], dtype=torch.int64)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Pillow decodes and resizes outside Python's lock
        decoded = pool.map(_decode_into, images, [photo.path for photo in photos])
        bar = runtime.progress(decoded, desc="decoding", unit="photo", total=len(photos))
        good = torch.tensor(list(bar), dtype=torch.bool)
    skipped = [photo.path for photo, kept in zip(photos, good.tolist(), strict=True) if not kept]
    if skipped:
        images, labels = images[good], labels[good]
    return Split(images, labels, classes), skipped


def _decode_into(image: Tensor, path: Path) -> bool:
    try:
        image.copy_(decode(path.read_bytes(), image.shape[-1]))
    except MemoryError:
        raise
    except Exception:  # on damaged bytes, Pillow's decoders raise a dozen kinds of errors
        return False
    return True


def decode(content: bytes, size: int) -> Tensor:
    """Return a photograph as (3, size, size) uint8, upright, in RGB whatever its file says.

    Raises:
        Exception: Pillow cannot decode it; it does not say which errors that raises.
    """
    with Image.open(io.BytesIO(content)) as photo:
        upright = ImageOps.exif_transpose(photo).convert("RGB")
    square = functional.center_crop(functional.resize(upright, [size]), [size, size])
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)
