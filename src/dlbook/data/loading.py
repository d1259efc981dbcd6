"""Find a data set: on this machine, else at its source, else a stand-in made from installed packages."""

import os
from pathlib import Path

import requests

from dlbook.data import mnist, standins
from dlbook.data.dataset import DataError, Dataset, Source, checksum
from dlbook.data.registry import REGISTRY, data_directory, is_present

# How each data set is brought (its files, to the data directory) and read (files to two splits).
_FETCH = {"mnist": mnist.fetch}
_READ = {"mnist": mnist.read}


def available() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(REGISTRY)


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
    if name not in REGISTRY:
        raise DataError(f"unknown data set {name!r}: the book has {', '.join(available())}")
    directory = data_directory()
    if not is_present(name):
        _require_writable(directory)
        try:
            _FETCH[name](directory)
        except requests.RequestException as unreachable:
            return _standin(name, unreachable)
        except OSError as error:
            raise DataError(
                f"{directory} cannot take {name}: {error}; free it, or set DLBOOK_DATA"
            ) from error
    return _original(name, directory)


def _original(name: str, directory: Path) -> Dataset:
    entry = REGISTRY[name]
    train, test = _READ[name](directory)
    source = Source(
        name=name,
        description=f"The original files, from {entry.homepage}.",
        is_standin=False,
        sha256=checksum(train, test),
        license=entry.license,
    )
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
