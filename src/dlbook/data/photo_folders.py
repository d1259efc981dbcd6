"""Photographs in one folder a class, which stay there, and a tensor cache of them beside the folders.

The site's build imports this module, so it imports nothing heavy.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from dlbook.data import archives
from dlbook.data.kinds import Cached
from dlbook.data.source import DataError

if TYPE_CHECKING:
    from dlbook.data.dataset import Content, Split
    from dlbook.data.photos import Photo

# Beside photographs that were unpacked from the official archive: their listing at that time.
_ORIGIN = ".unpacked"
# So many files that cannot be decoded are named; beyond that, a number says enough.
_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class PhotoFolders(Cached):
    """Photographs in one folder a class; the archive holds these folders in one that has the entry's name.

    Their bytes decide which are the test split, about 15 % of them. Without the folders, a cache is good too.
    """

    outdated: ClassVar[str] = "photographs were added or removed; the next fetch reads them again"

    def is_present(self) -> bool:
        """Tell whether there is a cache, or a folder for each class."""
        return super().is_present() or all((self.location / name).exists() for name in self.classes)

    def listing(self) -> str | None:
        """Return a checksum of the photographs' names and sizes; None where a class has no folder."""
        return _listing(self.location, self.classes)

    def verify(self) -> None:
        """Check the cache, where there is one, and that it was made from the photographs beside it."""
        if super().is_present():
            super().verify()

    def make(self) -> "Content":
        """Decode the photographs, fetched first where there are none; errors are as `ImageSet.make` says."""
        from dlbook.data import cache

        if self.listing() is None:
            self._fetch_photographs()
        content = self._decoded().completed()
        with suppress(OSError):  # the photographs are there: without a cache, only slower
            cache.write(self, content)
        return content

    def remove(self) -> list[Path]:
        """Remove the cache, and the photographs too if `fetch` brought them; return what stays."""
        if not (self.location / _ORIGIN).exists():
            return super().remove()
        shutil.rmtree(self.location)
        return []

    def describe(self, content: "Content") -> str:
        """Return a sentence for the reader: where they come from, and how many could be decoded."""
        if content.origin == "original":
            return f"The original files, from {self.homepage}: {content.source}."
        return super().describe(content)

    def _made_from(self, origin: str) -> str | None:
        return self.listing()

    def _identity(self) -> str:
        listing = self.listing()
        if listing is None:
            return super()._identity()
        return "original" if self._origin(listing) == "original" else self.identity_of(listing)

    def _origin(self, listing: str) -> str:
        """Tell whether the photographs are those of the official archive, and no others."""
        marker = self.location / _ORIGIN
        return "original" if marker.is_file() and marker.read_text().strip() == listing else "copy"

    def _fetch_photographs(self) -> None:
        """Unpack the official archive beside its final place, and move it there whole."""
        from dlbook.data import fetching

        (packed,) = fetching.fetch(self.archives, self.sources, self.downloads)
        top = self.downloads / "unpacked"
        shutil.rmtree(top, ignore_errors=True)
        archives.extract_tar(packed, top, self.archives[0].largest)
        folder = top / self.name
        listing = _listing(folder, self.classes)
        if listing is None:
            raise DataError(f"{packed} lacks a folder of {', '.join(self.classes)}")
        (folder / _ORIGIN).write_text(listing)
        if self.location.exists():  # a damaged cache, or a class's folder is missing
            self._set_aside(self.downloads / "before")
        folder.rename(self.location)

    def _set_aside(self, place: Path) -> None:
        if any(path.is_dir() for path in self.location.iterdir()):
            raise DataError(
                f"{self.location} lacks the folder of a class. Move it away, and the next run fetches the "
                "photographs; or add what is missing."
            )
        shutil.rmtree(place, ignore_errors=True)
        self.location.rename(place)

    def _decoded(self) -> "Content":
        """Return images (N, C, H, W) uint8 of the entry's shape.

        Raises:
            DataError: a split has no photograph that can be decoded.
        """
        from dlbook.data import photos
        from dlbook.data.dataset import Content

        listing = str(self.listing())
        found = photos.find(self.location, self.classes)
        train, bad = self._split([photo for photo in found if not photo.is_test])
        test, bad_in_test = self._split([photo for photo in found if photo.is_test])
        words = f"{len(train) + len(test):,} photographs{self._left_out(bad + bad_in_test)}"
        return Content(train, test, words, listing, self._origin(listing))

    def _split(self, chosen: Sequence["Photo"]) -> tuple["Split", list[Path]]:
        from dlbook.data import photos

        try:
            return photos.read(chosen, self.classes, self.shape[-1])
        except DataError as error:
            raise DataError(
                f"{self.location} has too few photographs that can be decoded: {error}"
            ) from error

    def _left_out(self, skipped: Sequence[Path]) -> str:
        if not skipped:
            return ""
        names = sorted(str(path.relative_to(self.location)) for path in skipped)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"; left out, as they cannot be decoded: {', '.join(names[:_NAMED])}{more}"


def _listing(folder: Path, classes: Sequence[str]) -> str | None:
    if not all((folder / name).is_dir() for name in classes):
        return None
    facts = sorted(
        f"{name}/{photo.name} {photo.stat().st_size}"
        for name in classes
        for photo in os.scandir(folder / name)
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()
