"""The tensor cache: a data set's splits as safetensors, mapped into memory rather than read.

``<data directory>/<name>/<split>.safetensors`` holds ``images`` (N, C, H, W) uint8 and ``labels`` (N,)
int64, and in its metadata ``classes`` as JSON. What this module writes says more there: the format's
version, where the data come from, and three checksums. A file from elsewhere may lack these.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dlbook.data.dataset import Content, Split, checksum
from dlbook.data.files import draft, sweep
from dlbook.data.image_sets import ImageSet
from dlbook.data.source import DataError

FORMAT = "1"


def write(entry: ImageSet, content: Content) -> None:
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
    sweep(entry.cache_files[0].parent)
    for file, split in zip(entry.cache_files, (content.train, content.test), strict=True):
        with draft(file) as written:
            _save(split, written, shared | {"crc32": str(_crc32(split))})


def _save(split: Split, path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file({"images": split.images, "labels": split.labels}, path, metadata)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def read(entry: ImageSet) -> Content:
    """Map both splits into memory and verify them.

    Raises:
        DataError: a file is missing, damaged, or not of this data set; the message says which and how.
    """
    train_file, test_file = entry.cache_files
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


def _read_split(path: Path, entry: ImageSet, count: int | None) -> tuple[Split, dict[str, str]]:
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


def _require_expected(path: Path, split: Split, entry: ImageSet, count: int | None) -> None:
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
