"""Checkpoints: trained weights from the web, kept where torchvision keeps its own.

The site's build imports this module, so it imports nothing heavy.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path

from dlbook.data.entries import Entry
from dlbook.data.files import locked, require_checksum, sha256_of
from dlbook.data.source import DataError, NoSource


@dataclass(frozen=True, kw_only=True)
class Checkpoint(Entry):
    """One file of trained weights. There is no stand-in for it."""

    @property
    def directory(self) -> Path:
        """The folder of torchvision's (``TORCH_HOME``), so that its copy and ours are one."""
        cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return tuple(self.directory / archive.name for archive in self.archives)

    @property
    def location(self) -> Path:
        """The file."""
        return self.files[0]

    @property
    def on_the_way(self) -> tuple[Path, ...]:
        """Its part, beside it."""
        return tuple(self.directory / archive.part for archive in self.archives)

    def fetch(self) -> Path:
        """Return the file, fetched where it was not there yet or is damaged, and verified.

        Raises:
            DataError: no source delivered, the folder cannot take it, or what lies there is something else.
        """
        try:
            with locked(self.name, self.directory):
                if not self.is_present() or not self.is_published(self.location):
                    self._replace()
        except NoSource as unreachable:
            if self.is_present():
                self._require_whole(unreachable)
            raise DataError(
                f"{self.title} is not in {self.directory}, and no source delivered it ({unreachable})"
            ) from unreachable
        except OSError as error:
            raise DataError(
                f"{self.directory} cannot take {self.name}: {error}; free it, or set TORCH_HOME"
            ) from error
        return self.location

    def _replace(self) -> None:
        """Fetch the file; one of its name that is something else, another program's perhaps, is set aside.

        Where no source delivers, it is put back.
        """
        from dlbook.data import fetching

        aside = self.location.with_name(f"{self.location.name}.damaged")
        found = self.is_present()
        if found:
            self.location.replace(aside)
        try:
            fetching.fetch(self.archives, self.sources, self.directory)
        finally:
            if found and not self.is_present():
                aside.replace(self.location)

    def _require_whole(self, unreachable: NoSource) -> None:
        try:
            self.verify()
        except DataError as error:
            raise DataError(f"{error} It cannot be fetched now: {unreachable}") from unreachable

    def bring(self) -> str:
        """Fetch the file where it is not there, and check it."""
        self.fetch()
        return f"whole, {self.state()}"

    def verify(self) -> None:
        """Check the file against the checksum of what its source serves."""
        for file, archive in zip(self.files, self.archives, strict=True):
            require_checksum(file, archive.sha256)

    def is_published(self, file: Path) -> bool:
        """Tell whether it has the checksum of what its source serves."""
        return _sha256(file) == self.archives[self.files.index(file)].sha256

    def _identity(self) -> str:
        return "original" if all(map(self.is_published, self.files)) else f"copy {_sha256(self.location)[:8]}"


def _sha256(file: Path) -> str:
    """Return a file's checksum; while its time and size stay the same, its half a gigabyte is read once."""
    facts = file.stat()
    return _known_sha256(file, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache
def _known_sha256(file: Path, time: int, size: int) -> str:
    return sha256_of(file)
