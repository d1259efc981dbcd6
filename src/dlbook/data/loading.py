"""Find a data set: on this machine, else at its source, else a stand-in made from installed packages."""

import os
from pathlib import Path

import requests

from dlbook.data import cache, flowers, mnist, standins
from dlbook.data.dataset import DataError, Dataset, Source, Split, checksum
from dlbook.data.registry import REGISTRY, data_directory, is_present


def available() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(name for name, entry in REGISTRY.items() if entry.shape)


def load(name: str) -> Dataset:
    """Load a data set, fetching it on first use.

    Tried in this order: the files below `data_directory`; the official source and its mirrors; an
    offline stand-in. With ``DLBOOK_STANDINS=never`` the last step is an error instead.

    Args:
        name: one of `available`.

    Returns:
        Images as uint8 on the CPU, in the official training and test splits.

    Raises:
        DataError: the name is unknown, a file is damaged, the data directory cannot be written, or
            nothing could be had and stand-ins are forbidden.
    """
    if name not in available():
        raise DataError(f"unknown data set {name!r}: the book has {', '.join(available())}")
    directory = data_directory()
    if not is_present(name):
        _require_writable(directory)
        try:
            _fetch(name, directory)
        except requests.RequestException as unreachable:
            return _standin(name, unreachable)
        except OSError as error:
            raise DataError(
                f"{directory} cannot take {name}: {error}; free it, or set DLBOOK_DATA"
            ) from error
    return _original(name, directory)


def _fetch(name: str, directory: Path) -> None:
    if name != "mnist":
        raise requests.RequestException("fetching is not written yet")
    mnist.fetch(directory)


def _original(name: str, directory: Path) -> Dataset:
    entry = REGISTRY[name]
    if name == "mnist":
        train, test = mnist.read(directory)
        return _dataset(
            name, train, test, f"The original files, from {entry.homepage}.", checksum(train, test)
        )
    cached = _flowers(directory) if name == "flower_photos" else cache.read(name, directory)
    sha256 = cached.metadata.get("sha256") or checksum(cached.train, cached.test)
    if "format" in cached.metadata:
        description = f"{cached.metadata['source']}."
    else:
        said = cached.metadata.get("source", "of unknown source")
        description = f"A copy on this machine, not the official files: {said}."
    return _dataset(name, cached.train, cached.test, description, sha256)


def _flowers(directory: Path) -> cache.Cached:
    listing = flowers.listing_sha256(directory) if flowers.exists(directory) else None
    try:
        cached = cache.read("flower_photos", directory)
        if listing in (None, cached.metadata.get("source_sha256")):
            return cached
    except DataError:
        if listing is None:
            raise
    found = flowers.read(directory)
    cache.write("flower_photos", directory, found.train, found.test, found.source, str(listing))
    return cache.read("flower_photos", directory)


def _dataset(name: str, train: Split, test: Split, description: str, sha256: str) -> Dataset:
    entry = REGISTRY[name]
    source = Source(name, description, is_standin=False, sha256=sha256, license=entry.license)
    return Dataset(entry.title, train, test, source)


def _standin(name: str, unreachable: Exception) -> Dataset:
    if os.environ.get("DLBOOK_STANDINS") == "never":
        raise DataError(
            f"{REGISTRY[name].title} is not in {data_directory()} and its source did not answer "
            f"({unreachable}). Stand-ins are forbidden here (DLBOOK_STANDINS=never): connect this "
            "machine, or set DLBOOK_DATA to a folder that holds the data."
        ) from unreachable
    return standins.load(name)


def _require_writable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataError(
            f"the data directory {directory} cannot be written ({error.strerror}): "
            "set DLBOOK_DATA to a folder of yours"
        ) from error
