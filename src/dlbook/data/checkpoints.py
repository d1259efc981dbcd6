"""Checkpoints: trained weights from the web, kept where torchvision keeps its own.

The site's build imports this module, so it imports nothing heavy.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from dlbook.data.entries import Entry
from dlbook.data.files import locked, require_checksum
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

    def fetch(self) -> Path:
        """Return the file, fetched and verified where it was not there yet.

        Raises:
            DataError: no source delivered, or the folder cannot take it.
        """
        from dlbook.data import fetching

        try:
            with locked(self.name, self.directory):
                if not self.is_present():
                    fetching.fetch(self.archives, self.sources, self.directory)
        except NoSource as unreachable:
            raise DataError(
                f"{self.title} is not in {self.directory}, and no source delivered it ({unreachable})"
            ) from unreachable
        except OSError as error:
            raise DataError(
                f"{self.directory} cannot take {self.name}: {error}; free it, or set TORCH_HOME"
            ) from error
        return self.location

    def bring(self) -> str:
        """Fetch the file where it is not there, and check it."""
        self.fetch()
        self.verify()
        return f"whole, {self.state()}"

    def verify(self) -> None:
        """Check the file against the checksum of what its source serves."""
        for file, archive in zip(self.files, self.archives, strict=True):
            require_checksum(file, archive.sha256)
