"""Labeled images as entries of the registry: on this machine, else from a source, else a stand-in.

The site's build imports this module, so it imports nothing heavy.
"""

import os
import shutil
import tempfile
from abc import abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dlbook.data.entries import Entry, data_directory
from dlbook.data.files import locked
from dlbook.data.source import DataError, NoSource, Source

if TYPE_CHECKING:
    from dlbook.data.dataset import Content, Dataset


class StandIn(Protocol):
    """How to make small data that stand in for an image set where it cannot be had."""

    def make(self, entry: "ImageSet") -> "Dataset":
        """Return images of the shape and the classes of the entry; the same on every machine."""


@dataclass(frozen=True, kw_only=True)
class ImageSet(Entry):
    """Labeled images in two splits.

    Each kind says how it reads what is on this machine (`read`), and how it makes it from its archives
    (`make`); the order in which that is tried is the same for all.

    Attributes:
        classes: the name of each label.
        shape: channels, height and width of an image.
        counts: training and test images; empty where they depend on what is found.
        standin: what takes its place without a network.
    """

    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: tuple[int, ...] = ()
    standin: StandIn

    @property
    def directory(self) -> Path:
        """The data directory."""
        return data_directory()

    @property
    def downloads(self) -> Path:
        """A folder for what is on its way."""
        return self.directory / f".{self.name}"

    @property
    def on_the_way(self) -> tuple[Path, ...]:
        """That folder."""
        return (self.downloads,)

    @property
    def cache_files(self) -> tuple[Path, Path]:
        """The tensor cache, there or not: training and test split."""
        folder = self.directory / self.name
        return folder / "train.safetensors", folder / "test.safetensors"

    @abstractmethod
    def read(self) -> "Content":
        """Return what is on this machine, verified; without its checksum, where none is known.

        Raises:
            DataError: a file is missing, damaged, or not of this data set.
        """

    @abstractmethod
    def make(self) -> "Content":
        """Fetch the archives and make what is kept of them; called under the data set's lock.

        Raises:
            NoSource: no source delivered.
            DataError: what they delivered cannot be read.
            OSError: the folder cannot be written.
        """

    def load(self) -> "Dataset":
        """Return the data set, or its stand-in where no source delivers it; see `dlbook.data.load`."""
        may_stand_in = stand_ins_are_permitted()  # a misspelled word is told wherever the data are
        try:
            return self._dataset(self._have())
        except NoSource as unreachable:
            if not may_stand_in:
                raise DataError(
                    f"{self.title} is not in {self.directory} and no source delivered it "
                    f"({unreachable}). Stand-ins are forbidden here (DLBOOK_STANDINS=never): connect this "
                    "machine, or set DLBOOK_DATA to a folder that holds the data."
                ) from unreachable
            return self.standin.make(self)

    def fetch(self) -> "Dataset":
        """Return the data set, and no stand-in for it; see `dlbook.data.fetch`."""
        try:
            return self._dataset(self._have())
        except NoSource as unreachable:
            raise DataError(f"{self.name} cannot be had: {unreachable}") from unreachable

    def bring(self) -> str:
        """Fetch the data set where it is not there, and describe it."""
        return repr(self.fetch())

    def _have(self) -> "Content":
        """Return what is on this machine, and bring it first where it is not."""
        problem = None
        if self.is_present():
            try:
                return self._adopt(self.read())
            except DataError as error:
                problem = error
        else:
            _require_writable(self.directory)
        try:
            return self._make_locked()
        except NoSource as unreachable:
            if problem is None:
                raise
            raise DataError(f"{problem} It cannot be made anew: {unreachable}") from unreachable
        except OSError as error:
            raise DataError(
                f"{self.directory} cannot take {self.name}: {error}; free it, or set DLBOOK_DATA"
            ) from error

    def _adopt(self, content: "Content") -> "Content":
        """Take what was read; a kind may write down what files from elsewhere do not say of themselves."""
        return content

    def _make_locked(self) -> "Content":
        """Make the data set under its lock, unless another process has made it in the meantime."""
        with locked(self.name, self.directory):
            if self.is_present():
                with suppress(DataError):
                    return self.read().completed()
            content = self._as_kept(self.make())
            shutil.rmtree(self.downloads, ignore_errors=True)
        return content

    def _as_kept(self, content: "Content") -> "Content":
        """Return what was just made as it is read from now on; a kind that could not keep it, as it is."""
        return content

    def _dataset(self, content: "Content") -> "Dataset":
        from dlbook.data.dataset import Dataset

        source = Source(
            self.name,
            self.describe(content),
            is_standin=False,
            sha256=content.sha256,
            license=self.license,
        )
        return Dataset(self.title, content.train, content.test, source)

    def describe(self, content: "Content") -> str:
        """Return a sentence for the reader: where these images come from."""
        if content.origin == "original":
            return f"The original files, from {self.homepage}."
        return f"A copy found on this machine, not the official files: {content.source}."


def stand_ins_are_permitted() -> bool:
    """Tell whether stand-ins are permitted: a word that is misspelled must not publish them.

    Raises:
        DataError: ``DLBOOK_STANDINS`` is neither ``never`` nor empty.
    """
    said = os.environ.get("DLBOOK_STANDINS", "").strip().lower()
    if said not in ("", "never"):
        raise DataError(f"DLBOOK_STANDINS is 'never' or not set; {said!r} means nothing")
    return not said


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
