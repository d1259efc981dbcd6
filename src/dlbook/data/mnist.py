"""MNIST's idx files, and Fashion-MNIST's: fetching, checking, reading."""

from pathlib import Path

import pooch

from dlbook.data import archives, fetching, idx
from dlbook.data.dataset import DataError, Split
from dlbook.data.files import draft, sweep
from dlbook.data.registry import REGISTRY, Archive


def fetch(directory: Path, downloads: Path) -> None:
    """Bring MNIST's four files to ``MNIST/raw``, where torchvision keeps them too.

    Args:
        directory: the data directory.
        downloads: a folder for what is on its way.

    Raises:
        fetching.NoSource: no source delivered.
        OSError: the folder cannot be written.
    """
    entry = REGISTRY["mnist"]
    packed = fetching.fetch(entry.archives, entry.sources, downloads)
    sweep(directory / "MNIST" / "raw")
    for path, archive, file in zip(packed, entry.archives, entry.files, strict=True):
        with draft(directory / file) as written:
            written.write_bytes(_unpack(path, archive))


def read(directory: Path) -> tuple[Split, Split]:
    """Read the extracted files of MNIST below the data directory.

    Returns:
        The training split, images (60000, 1, 28, 28) uint8, and the test split (10000, 1, 28, 28).

    Raises:
        DataError: a file is missing, or not, byte for byte, what it should be.
    """
    contents = []
    for file, sha256 in REGISTRY["mnist"].files.items():
        require_checksum(directory / file, sha256)
        contents.append((directory / file).read_bytes())
    return _splits(contents, "mnist")


def make_fashion(downloads: Path) -> tuple[Split, Split]:
    """Fetch and read Fashion-MNIST; arguments and errors are as for `fetch`, shapes as for `read`."""
    entry = REGISTRY["fashion_mnist"]
    packed = fetching.fetch(entry.archives, entry.sources, downloads)
    return _splits(list(map(_unpack, packed, entry.archives)), "fashion_mnist")


def require_checksum(path: Path, sha256: str) -> None:
    """Raise a `DataError` where a file is not, byte for byte, what it should be."""
    if not path.exists():
        raise DataError(f"{path} is missing")
    found = pooch.file_hash(str(path))
    if found != sha256:
        raise DataError(
            f"{path} is damaged: its SHA-256 is {found}, it should be {sha256}. "
            "Delete the file; the next run fetches it again."
        )


def _unpack(path: Path, archive: Archive) -> bytes:
    return archives.read_gzip(path, archive.largest)


def _splits(contents: list[bytes], name: str) -> tuple[Split, Split]:
    train_images, train_labels, test_images, test_labels = map(idx.parse, contents)
    classes = REGISTRY[name].classes
    return (
        Split(train_images.unsqueeze(1), train_labels.long(), classes),
        Split(test_images.unsqueeze(1), test_labels.long(), classes),
    )
