"""The tensor cache: a data set's splits as safetensors, mapped into memory rather than read.

``<data directory>/<name>/<split>.safetensors`` holds ``images`` (N, C, H, W) uint8 and ``labels`` (N,)
int64, and in its metadata ``classes`` as JSON. What this module writes says more there: the format's
version, where the data come from, and three checksums. A file from elsewhere may lack these.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dlbook.data.dataset import DataError, Split, checksum
from dlbook.data.files import draft, sweep
from dlbook.data.registry import REGISTRY, Entry, cache_files

FORMAT = "1"


@dataclass(frozen=True)
class Content:
    """What a cache holds.

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


def exists(name: str, directory: Path) -> bool:
    """Tell whether both splits are there; not, whether they are whole."""
    return all((directory / file).exists() for file in cache_files(name))


def write(name: str, directory: Path, content: Content) -> None:
    """Write both splits, each under its final name only when it is whole.

    Raises:
        OSError: the folder cannot take them.
    """
    shared = {
        "format": FORMAT,
        "classes": json.dumps(content.train.classes),
        "source": content.source,
        "source_sha256": content.source_sha256,
        "origin": content.origin,
        "sha256": content.sha256 or checksum(content.train, content.test),
    }
    sweep(directory / name)
    for file, split in zip(cache_files(name), (content.train, content.test), strict=True):
        with draft(directory / file) as written:
            _save(split, written, shared | {"crc32": str(_crc32(split))})


def _save(split: Split, path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file({"images": split.images, "labels": split.labels}, path, metadata)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def read(name: str, directory: Path) -> Content:
    """Map both splits into memory and verify them.

    Raises:
        DataError: a file is missing, damaged, or not of this data set; the message says which and how.
    """
    entry = REGISTRY[name]
    train_file, test_file = (directory / file for file in cache_files(name))
    counts = entry.counts or (None, None)
    train, said = _read_split(train_file, entry, counts[0])
    test, said_of_test = _read_split(test_file, entry, counts[1])
    if said.get("sha256") != said_of_test.get("sha256"):
        raise DataError(f"{test_file} was not made together with {train_file.name}: delete both")
    return Content(
        train,
        test,
        source=said.get("source", "nobody wrote down from where"),
        source_sha256=said.get("source_sha256", ""),
        origin=said.get("origin", "copy"),
        sha256=said.get("sha256", ""),
    )


def _read_split(path: Path, entry: Entry, count: int | None) -> tuple[Split, dict[str, str]]:
    if not path.exists():
        raise DataError(f"{path} is missing")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            classes = tuple(json.loads(metadata.get("classes", "null")))
            split = Split(file.get_tensor("images"), file.get_tensor("labels"), classes)
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError, DataError) as error:
        raise DataError(f"{path} is damaged: {error}. Delete it.") from error
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
        raise DataError(
            f"{path} is damaged: its pixels or labels are not those that were written. Delete it."
        )


def _crc32(split: Split) -> int:
    """Return a checksum of the pixels and labels: weaker than SHA-256, and several times as fast."""
    return zlib.crc32(split.labels.numpy().data, zlib.crc32(split.images.numpy().data))
