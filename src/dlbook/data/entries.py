"""What the registry knows of everything that can be fetched: its facts, where it lies, whether it is there.

The site's build imports this module, so it imports nothing heavy. What computes is imported by the methods
that need it.
"""

import os
import shutil
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from dlbook.data.files import locked
from dlbook.data.source import DataError


def data_directory() -> Path:
    """Return where data sets are kept: ``DLBOOK_DATA``, else the platform's cache folder of the user."""
    chosen = os.environ.get("DLBOOK_DATA")
    return Path(chosen).expanduser() if chosen else user_cache_path("dlbook")


@dataclass(frozen=True)
class Archive:
    """A file as its source serves it.

    Attributes:
        name: its name, below each of the entry's sources.
        size: its length in bytes.
        sha256: its checksum, 64 hexadecimal digits.
    """

    name: str
    size: int
    sha256: str

    @property
    def part(self) -> str:
        """The name of what has arrived of it so far."""
        return f"{self.name}.part"

    @property
    def largest(self) -> int:
        """The most bytes that it may unpack to; more is a bomb."""
        return 10 * self.size + 1_000_000


@dataclass(frozen=True, kw_only=True)
class Entry(ABC):
    """A data set, or trained weights: it knows how to find, fetch, verify and remove itself.

    Attributes:
        name: its key in the registry.
        title: its name in prose.
        archives: what is fetched.
        sources: folders on the web that hold the archives, the official one first.
        license: its terms.
        citation: who made it, and where they describe it.
        homepage: where it is described.
    """

    name: str
    title: str
    archives: tuple[Archive, ...]
    sources: tuple[str, ...]
    license: str
    citation: str
    homepage: str

    @property
    @abstractmethod
    def directory(self) -> Path:
        """The folder that all of this kind share."""

    @property
    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """What `fetch` brings or makes."""

    @property
    @abstractmethod
    def on_the_way(self) -> tuple[Path, ...]:
        """The files and folders, there or not, of what `fetch` has not brought whole yet."""

    @property
    def location(self) -> Path:
        """The folder that the files lie in; where there is one by itself, that file."""
        return self.files[0].parent

    @property
    def size(self) -> int:
        """The bytes of all that lies there."""
        return sum(file.stat().st_size for file in _files_below(self.location))

    def is_present(self) -> bool:
        """Tell whether it is on this machine; not, whether it is whole."""
        return all(file.exists() for file in self.files)

    def is_begun(self) -> bool:
        """Tell whether any of it is on this machine, be it damaged or half fetched."""
        return self.is_present() or any(map(_files_below, (*self.files, *self.on_the_way)))

    def lacks_proof(self) -> bool:
        """Tell whether it says that it is the original, and `fetch` would bring what proves that."""
        return False

    def state(self) -> str:
        """Say what would be found on this machine, without reading the data.

        Returns:
            ``original``; ``copy`` with eight digits that tell copies apart; or ``stand-in`` where nothing is.
        """
        return self._identity() if self.is_present() else "stand-in"

    def _identity(self) -> str:
        return "original"

    @abstractmethod
    def bring(self) -> str:
        """Bring it to this machine if it is not there, and say what is there now.

        Raises:
            DataError: it cannot be had, is damaged, or the folder cannot take it.
        """

    @abstractmethod
    def verify(self) -> None:
        """Check every byte of what is here.

        Raises:
            DataError: something is missing or damaged; the message says which.
        """

    @abstractmethod
    def is_published(self, file: Path) -> bool:
        """Tell whether one of the files, which is there, is what `fetch` would bring or make again."""

    def remove(self) -> list[Path]:
        """Remove what `fetch` would bring again, whole or not; return what stays of it, or beside it.

        A fetch that is going on comes to its end first: what it has on the way is its own.
        """
        with locked(self.name, self.directory):
            return self._remove()

    def _remove(self) -> list[Path]:
        """Do that under the lock, which nobody can take twice."""
        for path in self.on_the_way:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for file in [file for file in self.files if file.exists() and self.is_published(file)]:
            file.unlink()
        if self.location.is_dir():
            return sorted(self.location.iterdir())
        return [file for file in self.files if file.exists()]

    def require_present(self) -> None:
        """Raise a `DataError` that says how to bring it, where it is not on this machine."""
        if not self.is_present():
            raise DataError(f"not on this machine; `python -m dlbook.data fetch {self.name}` brings it")


def _files_below(path: Path) -> list[Path]:
    """Return the file of that path, or all in the folder of that path; none where nothing is there."""
    return [found for found in (path, *path.rglob("*")) if found.is_file()]
