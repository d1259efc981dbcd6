"""Find a data set: on this machine, else at its source, else a stand-in made from installed packages."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from dlbook.data import cache, cifar, fetching, flowers, mnist
from dlbook.data.cache import Content
from dlbook.data.dataset import DataError, Dataset, Source, checksum
from dlbook.data.files import locked
from dlbook.data.registry import REGISTRY, data_directory, is_present


def available() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(name for name, entry in REGISTRY.items() if entry.shape)


def load(name: str) -> Dataset:
    """Load a data set, fetching it on first use.

    Tried in this order: the files below `data_directory`; the official source and its mirrors; an
    offline stand-in. With ``DLBOOK_STANDINS=never`` the last step is an error instead. A damaged tensor
    cache is made anew.

    Args:
        name: one of `available`.

    Returns:
        Images as uint8 on the CPU, in the official training and test splits; a tensor cache is mapped
        into memory, not read.

    Raises:
        DataError: the name is unknown, a file is damaged and cannot be replaced, the data directory
            cannot be written, or nothing could be had and stand-ins are forbidden.
    """
    try:
        return _dataset(name, _have(name))
    except fetching.NoSource as unreachable:
        return _standin(name, unreachable)


def fetch(name: str) -> Dataset:
    """Load a data set as `load` does, but take no stand-in for it.

    Raises:
        DataError: as for `load`, or no source delivered.
    """
    try:
        return _dataset(name, _have(name))
    except fetching.NoSource as unreachable:
        raise DataError(f"{name} cannot be had: {unreachable}") from unreachable


def _have(name: str) -> Content:
    """Return what is on this machine, and bring it first where it is not."""
    if name not in available():
        raise DataError(f"unknown data set {name!r}: the book has {', '.join(available())}")
    directory = data_directory()
    problem = None
    if is_present(name):
        try:
            content = _read(name, directory)
            return content if content.sha256 else _adopt(name, directory, content)
        except DataError as error:
            if REGISTRY[name].files:  # as published, perhaps torchvision's copy: not ours to replace
                raise
            problem = error
    else:
        _require_writable(directory)
    try:
        return _bring(name, directory)
    except fetching.NoSource as unreachable:
        if problem is None:
            raise
        raise DataError(f"{problem} It cannot be made anew: {unreachable}") from unreachable
    except OSError as error:
        raise DataError(f"{directory} cannot take {name}: {error}; free it, or set DLBOOK_DATA") from error


def _read(name: str, directory: Path) -> Content:
    """Return a data set that is on this machine, verified; without its checksum, where none is known."""
    if name == "mnist":
        train, test = mnist.read(directory)
        return _completed(Content(train, test, "", "", "original"))
    content = cache.read(name, directory)
    expected = flowers.listing(directory) if name == "flower_photos" else _published(name, content)
    if expected not in (None, content.source_sha256):
        raise DataError(f"{directory / name} was made from other files than those that are known now.")
    return content


def _published(name: str, content: Content) -> str | None:
    """Return a checksum of the archives that original data are made from; None for a copy."""
    if content.origin != "original":
        return None
    checksums = "".join(archive.sha256 for archive in REGISTRY[name].archives)
    return hashlib.sha256(checksums.encode()).hexdigest()


def _adopt(name: str, directory: Path, content: Content) -> Content:
    """Write the checksums into a cache from elsewhere, so that it is verified from now on, and faster."""
    complete = _completed(content)
    with suppress(OSError), locked(name, directory):  # a folder that cannot be written is as good
        if not cache.read(name, directory).sha256:
            cache.write(name, directory, complete)
    return complete


def _bring(name: str, directory: Path) -> Content:
    """Make a data set under its lock, unless another process has made it in the meantime."""
    with locked(name, directory):
        if is_present(name):
            with suppress(DataError):
                content = _read(name, directory)
                return content if content.sha256 else _completed(content)
        downloads = directory / f".{name}"
        content = _make(name, directory, downloads)
        shutil.rmtree(downloads, ignore_errors=True)
    return content


def _make(name: str, directory: Path, downloads: Path) -> Content:
    match name:
        case "mnist":
            mnist.fetch(directory, downloads)
            return _read(name, directory)
        case "flower_photos":
            content = _completed(flowers.make(directory, downloads))
            with suppress(OSError):  # the photographs are there: without a cache, only slower
                cache.write(name, directory, content)
            return content
    train, test = {"cifar10": cifar.make, "fashion_mnist": mnist.make_fashion}[name](downloads)
    content = _completed(Content(train, test, "the original files", "", "original"))
    content = replace(content, source_sha256=_published(name, content) or "")
    cache.write(name, directory, content)
    return content


def _completed(content: Content) -> Content:
    return replace(content, sha256=checksum(content.train, content.test))


def _dataset(name: str, content: Content) -> Dataset:
    entry = REGISTRY[name]
    if content.origin == "original":
        extra = f": {content.source}" if name == "flower_photos" else ""
        description = f"The original files, from {entry.homepage}{extra}."
    else:
        description = f"A copy found on this machine, not the official files: {content.source}."
    source = Source(name, description, is_standin=False, sha256=content.sha256, license=entry.license)
    return Dataset(entry.title, content.train, content.test, source)


def _standin(name: str, unreachable: Exception) -> Dataset:
    if os.environ.get("DLBOOK_STANDINS") == "never":
        raise DataError(
            f"{REGISTRY[name].title} is not in {data_directory()} and no source delivered it "
            f"({unreachable}). Stand-ins are forbidden here (DLBOOK_STANDINS=never): connect this "
            "machine, or set DLBOOK_DATA to a folder that holds the data."
        ) from unreachable
    from dlbook.data import standins  # here, as scikit-learn takes seconds to import

    return standins.load(name)


def _require_writable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise DataError(
            f"the data directory {directory} cannot be written ({error.strerror}): "
            "set DLBOOK_DATA to a folder of yours"
        ) from error
