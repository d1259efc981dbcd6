"""Load and fetch by name."""

from pathlib import Path
from typing import TypeVar

from dlbook.data.checkpoints import Checkpoint
from dlbook.data.dataset import Dataset
from dlbook.data.entries import Entry
from dlbook.data.image_sets import ImageSet
from dlbook.data.registry import REGISTRY
from dlbook.data.source import DataError, note

Kind = TypeVar("Kind", bound=Entry)


def available() -> tuple[str, ...]:
    """Return the names that `load` knows."""
    return tuple(_image_sets())


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
    return _noted(_known("data set", name, _image_sets()).load())


def fetch(name: str) -> Dataset:
    """Load a data set as `load` does, but take no stand-in for it.

    Raises:
        DataError: as for `load`, or no source delivered.
    """
    return _noted(_known("data set", name, _image_sets()).fetch())


def fetch_checkpoint(name: str) -> Path:
    """Return the file of trained weights, fetched where it was not there yet.

    It lies where torchvision keeps its own (``TORCH_HOME``); torchvision's copy is used where it is there.

    Args:
        name: ``"vgg16"``: 138,357,544 numbers that torchvision's VGG16 learned on ImageNet.

    Raises:
        DataError: the name is unknown, or the file cannot be had. There is no stand-in.
    """
    checkpoints = {name: entry for name, entry in REGISTRY.items() if isinstance(entry, Checkpoint)}
    return _known("weights", name, checkpoints).fetch()


def _image_sets() -> dict[str, ImageSet]:
    return {name: entry for name, entry in REGISTRY.items() if isinstance(entry, ImageSet)}


def _known(what: str, name: str, entries: dict[str, Kind]) -> Kind:
    if name not in entries:
        raise DataError(f"unknown {what} {name!r}: the book has {', '.join(entries)}")
    return entries[name]


def _noted(dataset: Dataset) -> Dataset:
    note(dataset.source)
    return dataset
