"""The tensor cache: a data set's splits as safetensors, mapped into memory rather than read.

``<data directory>/<name>/<split>.safetensors`` holds ``images`` (N, C, H, W) uint8 and ``labels`` (N,)
int64, and in its metadata ``classes`` as JSON. What this module writes says more there: the format's
version, where the data come from, and two checksums. A file from elsewhere may lack these.
"""

import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dlbook.data.dataset import DataError, Split, checksum
from dlbook.data.registry import REGISTRY, Entry, cache_files

FORMAT = "1"


@dataclass(frozen=True)
class Cached:
    """What a cache holds.

    Attributes:
        train: the training split.
        test: the test split.
        metadata: ``source`` in words, and ``format``, ``source_sha256``, ``sha256``, ``crc32`` where this
            module wrote the file.
    """

    train: Split
    test: Split
    metadata: Mapping[str, str]


def exists(name: str, directory: Path) -> bool:
    """Tell whether both splits are there; not, whether they are whole."""
    return all((directory / file).exists() for file in cache_files(name))


def write(name: str, directory: Path, train: Split, test: Split, source: str, source_sha256: str) -> None:
    """Write both splits, each under its final name only when it is whole.

    Args:
        name: a registered data set.
        directory: the data directory.
        train: the training split.
        test: the test split.
        source: where the data come from, in words.
        source_sha256: checksum of what they were made from.

    Raises:
        OSError: the folder cannot take them.
    """
    shared = {
        "format": FORMAT,
        "classes": json.dumps(train.classes),
        "source": source,
        "source_sha256": source_sha256,
        "sha256": checksum(train, test),
    }
    for file, split in zip(cache_files(name), (train, test), strict=True):
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_split(path, split, shared | {"crc32": str(_crc32(split))})


def _write_split(path: Path, split: Split, metadata: dict[str, str]) -> None:
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    try:
        save_file({"images": split.images, "labels": split.labels}, draft, metadata)
        with open(draft, "rb+") as written:
            os.fsync(written.fileno())
        os.chmod(draft, 0o644)  # mkstemp's file is its owner's alone; a classroom shares it
        os.replace(draft, path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
    finally:
        Path(draft).unlink(missing_ok=True)


def read(name: str, directory: Path) -> Cached:
    """Map both splits into memory and verify them.

    Raises:
        DataError: a file is missing, damaged, or not of this data set; the message says which and how.
    """
    entry = REGISTRY[name]
    splits, metadata = [], []
    for position, file in enumerate(cache_files(name)):
        count = entry.counts[position] if entry.counts else None
        split, said = _read_split(directory / file, entry, count)
        splits.append(split)
        metadata.append(said)
    if metadata[0].get("sha256") != metadata[1].get("sha256"):
        raise DataError(f"{directory / name}: the two splits were made at different times")
    return Cached(splits[0], splits[1], metadata[0])


def _read_split(path: Path, entry: Entry, count: int | None) -> tuple[Split, dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            classes = tuple(json.loads(metadata.get("classes", "null")))
            split = Split(file.get_tensor("images"), file.get_tensor("labels"), classes)
    except (SafetensorError, OSError, ValueError, TypeError, DataError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    _require_expected(path, split, entry, count)
    _require_whole(path, split, metadata)
    return split, metadata


def _require_expected(path: Path, split: Split, entry: Entry, count: int | None) -> None:
    if split.classes != entry.classes:
        raise DataError(f"{path} has the classes {split.classes}, not {entry.classes}")
    if tuple(split.images.shape[1:]) != entry.shape:
        raise DataError(f"{path} has images of {tuple(split.images.shape[1:])}, not {entry.shape}")
    if count is not None and len(split) != count:
        raise DataError(f"{path} has {len(split):,} images, not {count:,}")


def _require_whole(path: Path, split: Split, metadata: Mapping[str, str]) -> None:
    if metadata.get("format", FORMAT) != FORMAT:
        raise DataError(f"{path} has format {metadata['format']}; this version of dlbook reads {FORMAT}")
    if "crc32" in metadata and metadata["crc32"] != str(_crc32(split)):
        raise DataError(f"{path} is damaged: its pixels or labels are not those that were written")


def _crc32(split: Split) -> int:
    """Return a checksum of the pixels and labels, five times as fast as SHA-256."""
    return zlib.crc32(split.labels.numpy().data, zlib.crc32(split.images.numpy().data))
