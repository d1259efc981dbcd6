"""Flower photos: from a folder a class to tensors."""

import shutil
from pathlib import Path

from dlbook.data import archives, fetching, photos
from dlbook.data.cache import Content
from dlbook.data.dataset import DataError
from dlbook.data.registry import ORIGIN, REGISTRY, photo_listing, photo_origin

_NAME = "flower_photos"
# So many files that cannot be decoded are named; beyond that, a number says enough.
_NAMED = 10


def listing(directory: Path) -> str | None:
    """Return a checksum of the photographs' names and sizes; None where there are none."""
    return photo_listing(directory / _NAME, REGISTRY[_NAME].classes)


def make(directory: Path, downloads: Path) -> Content:
    """Decode the photographs, fetching them first where there are none.

    Args:
        directory: the data directory.
        downloads: a folder for what is on its way.

    Returns:
        Images (N, 3, 256, 256) uint8; about 15 % of them, chosen by their bytes, are the test split.

    Raises:
        fetching.NoSource: no source delivered.
        DataError: a split has no photograph that can be decoded.
        OSError: the folder cannot be written.
    """
    if listing(directory) is None:
        _fetch(directory, downloads)
    folder, entry = directory / _NAME, REGISTRY[_NAME]
    seen = str(listing(directory))
    found = photos.find(folder, entry.classes)
    parts = []
    skipped: list[Path] = []
    for is_test in (False, True):
        chosen = [photo for photo in found if photo.is_test is is_test]
        try:
            split, bad = photos.read(chosen, entry.classes, entry.shape[-1])
        except DataError as error:
            raise DataError(f"{folder} has too few photographs that can be decoded: {error}") from error
        parts.append(split)
        skipped += bad
    train, test = parts
    words = f"{len(train) + len(test):,} photographs{_left_out(skipped, folder)}"
    return Content(train, test, words, seen, photo_origin(folder, seen))


def _fetch(directory: Path, downloads: Path) -> None:
    """Unpack the official archive beside its final place, and move it there whole."""
    entry = REGISTRY[_NAME]
    (archive,) = entry.archives
    (packed,) = fetching.fetch(entry.archives, entry.sources, downloads)
    unpacked = downloads / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    archives.extract_tar(packed, unpacked, archive.largest)
    folder = unpacked / _NAME
    seen = photo_listing(folder, entry.classes)
    if seen is None:
        raise DataError(f"{packed} lacks a folder of {', '.join(entry.classes)}")
    (folder / ORIGIN).write_text(seen)
    if (directory / _NAME).exists():  # a damaged cache, or a class's folder is missing
        _set_aside(directory / _NAME, downloads / "before")
    folder.rename(directory / _NAME)


def _set_aside(folder: Path, place: Path) -> None:
    if any(path.is_dir() for path in folder.iterdir()):
        raise DataError(
            f"{folder} lacks the folder of a class. Move it away, and the next run fetches the photographs; "
            "or add what is missing."
        )
    shutil.rmtree(place, ignore_errors=True)
    folder.rename(place)


def _left_out(skipped: list[Path], folder: Path) -> str:
    if not skipped:
        return ""
    names = sorted(str(path.relative_to(folder)) for path in skipped)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"; left out, as they cannot be decoded: {', '.join(names[:_NAMED])}{more}"
