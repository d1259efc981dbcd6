"""Photographs in one folder a class: decoded, oriented, cut to one size, and split by their content."""

import io
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms import functional

from dlbook import progress
from dlbook.data.dataset import Split
from dlbook.data.files import sha256_of_all, visible_files
from dlbook.data.source import DataError

# About this share of the photographs becomes the test split.
TEST_SHARE = 0.15
# In the mean over an image two decoders of JPEG differ by less, and two photographs by more; in gray levels.
DECODERS_DIFFER = 8
# At most so many photographs of a split are decoded to see whether a cache of them holds others.
LOOKS = 4


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
        found = visible_files(folder / name)
        paths += found
        labels += [label] * len(found)
    digests = map(bytes.fromhex, sha256_of_all(paths))
    photos = [Photo(*facts) for facts in zip(paths, labels, digests, strict=True)]
    return sorted(photos, key=lambda photo: (photo.digest, photo.path))


def read(photos: Sequence[Photo], classes: tuple[str, ...], size: int) -> tuple[Split, dict[Path, str]]:
    """Decode photographs.

    The shorter side becomes ``size`` pixels (antialiased) and the middle of the longer one is kept, as
    by torchvision's ``Resize(size)`` and ``CenterCrop(size)``.

    Args:
        photos: what to decode.
        classes: the name of each label.
        size: height and width of the images.

    Returns:
        Images (N, 3, size, size) uint8 in the photographs' order, and why which files were left out.

    Raises:
        DataError: not one photograph can be decoded.
    """
    images = torch.empty(len(photos), 3, size, size, dtype=torch.uint8)
    labels = torch.tensor([photo.label for photo in photos], dtype=torch.int64)
    # Pillow decodes and resizes outside Python's lock.
    with _without_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        decoded = pool.map(_decode_into, images, [photo.path for photo in photos])
        problems = list(progress.bar(decoded, desc="decoding", unit="photo", total=len(photos)))
    skipped = {photo.path: why for photo, why in zip(photos, problems, strict=True) if why}
    if skipped:
        good = torch.tensor([not why for why in problems], dtype=torch.bool)
        images, labels = images[good], labels[good]
    return Split(images, labels, classes), skipped


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Let Pillow not warn where a photograph's description is broken, or where there are many pixels.

    Decoded it is nonetheless, or named as left out.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


@_without_warnings()
def are_others(photos: Sequence[Photo], split: Split) -> bool:
    """Tell whether a split holds other labels than these photographs have, or other images, by a few of them.

    Where some cannot be decoded, so that the split holds fewer, only reading them all could tell: then False.

    Args:
        photos: in the order in which `read` was given them.
        split: images (N, 3, size, size) uint8, perhaps of another machine's decoder.
    """
    if len(photos) != len(split):
        return False
    if split.labels.tolist() != [photo.label for photo in photos]:
        return True
    for i in range(0, len(photos), max(1, math.ceil(len(photos) / LOOKS))):
        image = torch.empty_like(split.images[i])
        if _decode_into(image, photos[i].path):
            return False
        if (image.float() - split.images[i].float()).abs().mean() > DECODERS_DIFFER:
            return True
    return False


class _UnknownScaleError(ValueError):
    """A photograph has numbers of 32 bits, of which nobody knows which one is white."""


def _decode_into(image: Tensor, path: Path) -> str:
    """Decode a photograph into a tensor; return why it cannot be, or an empty text."""
    try:
        image.copy_(decode(path.read_bytes(), image.shape[-1]))
    except MemoryError:
        raise
    except Image.DecompressionBombError:
        return "larger than Pillow decodes"
    except _UnknownScaleError:
        return "of numbers whose scale the file does not say: save it with 8 or 16 bits a color"
    except Exception:  # on damaged bytes, Pillow's decoders raise a dozen kinds of errors
        return "cannot be decoded"
    return ""


def decode(content: bytes, size: int) -> Tensor:
    """Return a photograph as (3, size, size) uint8, upright, in RGB whatever its file says.

    Raises:
        Exception: Pillow cannot decode it; it does not say which errors that raises.
    """
    with Image.open(io.BytesIO(content)) as photo:
        upright = _in_bytes(ImageOps.exif_transpose(photo)).convert("RGB")
    square = functional.center_crop(functional.resize(upright, [size]), [size, size])
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)


def _in_bytes(photo: Image.Image) -> Image.Image:
    """Return a photograph of 16 bits with 8; Pillow itself would make white of nearly all gray levels.

    Colors of a palette with a transparent one lose that here, which Pillow would warn of.

    Raises:
        _UnknownScaleError: its numbers are of no known range, and Pillow would make black or white of them.
    """
    if photo.mode.startswith("I"):
        levels = np.asarray(photo)
        if photo.mode == "I" and not (levels.min() >= 0 and 2**8 <= levels.max() < 2**16):
            raise _UnknownScaleError  # a file of 16 bits may be opened so, and one of 32 bits is
        return Image.fromarray((levels >> 8).clip(0, 255).astype(np.uint8))
    if photo.mode == "F":
        raise _UnknownScaleError
    return photo.convert("RGBA") if "transparency" in photo.info else photo
