"""Image sets whose archives stay beside what was made of them, and prove it.

A tensor cache could say of itself what it likes, and so could a list of files. That they hold what was
published, the archives alone can prove, whose checksums the registry knows.

The site's build imports this module, so it imports nothing heavy.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dlbook.data.files import locked, require_checksum, sha256_of
from dlbook.data.kinds import Cached, metadata
from dlbook.data.source import DataError, NoSource


@dataclass(frozen=True, kw_only=True)
class KeptArchives(Cached):
    """A tensor cache with the archives, from which it can be made again."""

    @property
    def kept(self) -> tuple[Path, ...]:
        """The archives."""
        return tuple(self.location / archive.name for archive in self.archives)

    def lacks_proof(self) -> bool:
        """Tell whether the cache says that it is the original's, and the archives are not whole beside it.

        As one that was made before they were kept: it counts as a copy until they are there again.
        """
        return self._claims() and len(self._whole()) < len(self.archives)

    def is_begun(self) -> bool:
        """Tell whether any of it is on this machine, and be it an archive alone."""
        return super().is_begun() or any(kept.exists() for kept in self.kept)

    def verify(self) -> None:
        """Check the cache against its checksum, and the archives that are here, whatever it says.

        Where it says that it is theirs, all of them must be.
        """
        super().verify()
        self._verify_archives()

    def _verify_archives(self) -> None:
        there = [kept.exists() for kept in self.kept]
        if self._claims() and not all(there):
            raise DataError(
                f"{self.files[0]} says that it is made of the original files, which are not beside it to "
                f"prove that; `python -m dlbook.data fetch {self.name}` brings them"
            )
        for kept, archive, is_there in zip(self.kept, self.archives, there, strict=True):
            if is_there:
                require_checksum(kept, archive.sha256)

    def bring(self) -> str:
        """Fetch the data set; where it is here, archives that it says it is made of, or that are damaged."""
        if self.is_present() and self._needs_archives():
            try:
                self._bring_archives()
            except NoSource as unreachable:
                raise DataError(f"the archives of {self.name} cannot be had: {unreachable}") from unreachable
        return super().bring()

    def _needs_archives(self) -> bool:
        """Tell whether the cache says that it is theirs, or one that is here is damaged."""
        return self._claims() or len(self._whole()) < sum(kept.exists() for kept in self.kept)

    def _bring_archives(self) -> None:
        with locked(self.name, self.directory):
            self._packed()

    def _remove(self) -> list[Path]:
        """Remove what `fetch` would bring or make again, the archives last: they prove what it is."""
        left = super()._remove()
        for file in self._whole():
            file.unlink()
        with suppress(OSError):  # not empty
            self.location.rmdir()
        return [path for path in left if path.exists()]

    def _claims(self) -> bool:
        return all(map(claims, self.files))

    def _packed(self) -> list[Path]:
        """Return the archives from where they are kept, brought there first where one is not whole."""
        from dlbook.data import fetching

        if len(self._whole()) < len(self.archives):
            fetched = fetching.fetch(self.archives, self.sources, self.downloads)
            self.location.mkdir(parents=True, exist_ok=True)
            for path, kept in zip(fetched, self.kept, strict=True):
                path.replace(kept)
            shutil.rmtree(self.downloads, ignore_errors=True)
        return list(self.kept)

    def _whole(self) -> list[Path]:
        """Return those of the archives that are kept and whole."""
        facts = zip(self.kept, self.archives, strict=True)
        return [kept for kept, archive in facts if kept.exists() and sha256_of(kept) == archive.sha256]


def claims(file: Path) -> bool:
    """Tell whether a file of a tensor cache says that it was made from the original files."""
    return metadata(file).get("origin") == "original"
