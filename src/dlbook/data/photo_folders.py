"""Photographs in one folder a class, which stay there, and a tensor cache of them beside the folders.

The site's build imports this module, so it imports nothing heavy.
"""

import filecmp
import functools
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from dlbook.data import archives
from dlbook.data.files import is_visible, require_checksum, sha256_of, sha256_of_all, visible_files
from dlbook.data.kept import KeptArchives
from dlbook.data.kinds import metadata, state_of
from dlbook.data.source import DataError, NoSource

if TYPE_CHECKING:
    from dlbook.data.dataset import Content, Split
    from dlbook.data.photos import Photo

# So many files that cannot be decoded are named; beyond that, a number says enough.
_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class PhotoFolders(KeptArchives):
    """Photographs in one folder a class; the archive holds these folders in one that has the entry's name.

    Their bytes decide which are the test split, about 15 % of them. Without the folders, a cache is good too,
    but counts as a copy, whatever it says: what its images were decoded from, nobody can look at.
    """

    outdated: ClassVar[str] = "photographs were added, removed or changed; the next fetch reads them again"

    def is_present(self) -> bool:
        """Tell whether there is a cache, or a folder for each class."""
        return super().is_present() or all(map(Path.exists, self._folders()))

    def listing(self) -> str | None:
        """Return a checksum of the photographs' names and contents; None where a class has no folder."""
        found = self._photographs()
        return None if found is None else _checksum(found)

    def is_published(self, file: Path) -> bool:
        """Tell whether it says that it was made from just the photographs of the archive beside it.

        Where no folder is here, nothing can be said of what it was made from.
        """
        said = metadata(file).get("source_sha256", "")
        return any(map(Path.is_dir, self._folders())) and self._origin(said) == "original"

    def read(self) -> "Content":
        """Return what the cache holds; whose photographs it was made from, they say, and not the cache."""
        content = super().read()
        if not self._has_folders():
            return replace(content, origin="copy")
        self._require_same(content)
        return replace(content, origin=self._origin(content.source_sha256))

    def verify(self) -> None:
        """Check the cache, where there is one, and that it holds what the photographs beside it decode to."""
        if not super().is_present():
            self._verify_archives()
            return
        super().verify()
        if self.listing() is None:
            return
        if self.read().completed().sha256 != self._decoded().completed().sha256:
            raise self._other_images()

    def _require_same(self, content: "Content") -> None:
        """Raise a `DataError` where a look at some photographs shows that the cache holds others."""
        from dlbook.data import photos

        found = photos.find(self.location, self.classes)
        for is_test, split in ((False, content.train), (True, content.test)):
            if photos.are_others([photo for photo in found if photo.is_test == is_test], split):
                raise self._other_images()

    def _other_images(self) -> DataError:
        return DataError(
            f"{self.files[0]} and {self.files[1].name} hold other images than the photographs beside "
            "them decode to here. Delete the two, and the next run makes them anew."
        )

    def bring(self) -> str:
        """Fetch the photographs; where they are here, the archive too, which alone tells whose they are."""
        if self._has_folders() and not self._needs_archives():
            try:
                self._bring_archives()
            except (NoSource, OSError) as problem:  # one's own photographs are as good without it
                return f"{super().bring()} The archive, which tells whose they are, cannot be had: {problem}"
        return super().bring()

    def make(self) -> "Content":
        """Decode the photographs, fetched first where there are none; errors are as `ImageSet.make` says."""
        from dlbook.data import cache

        self._drop_old_list()
        if self.listing() is None:
            self._fetch_photographs()
        content = self._decoded().completed()
        with suppress(OSError):  # the photographs are there: without a cache, only slower
            cache.write(self, content)
        return content

    def _remove(self) -> list[Path]:
        """Remove what `fetch` brought and nobody has changed, and a cache of it or of the folders.

        Return the files that stay.
        """
        self._drop_old_list()
        self._keep_arrived()
        inside, made = self.location.resolve(), self.files if self._has_folders() else ()
        for path, sha256 in self._published().items():
            file = inside / path
            if file.resolve().is_relative_to(inside) and file.is_file() and sha256_of(file) == sha256:
                file.unlink()
        for file in made:
            file.unlink(missing_ok=True)
        super()._remove()
        left = [path for path in self.location.rglob("*") if not path.is_dir() or path.is_symlink()]
        for folder in sorted((path for path in self.location.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):  # not empty, or a link
                folder.rmdir()
        with suppress(OSError):
            self.location.rmdir()
        return sorted(left, key=lambda path: (len(path.parts), path))

    def _drop_old_list(self) -> None:
        """Remove the list of the archive's files that `fetch` once wrote, and nothing reads any more."""
        with suppress(OSError):
            (self.location / ".unpacked").unlink(missing_ok=True)

    def _keep_arrived(self) -> None:
        """Move an archive to its place that a killed fetch left where it arrived: it proves what is here."""
        (kept,), (archive,) = self.kept, self.archives
        arrived = self.downloads / archive.name
        if not self._whole() and arrived.is_file() and sha256_of(arrived) == archive.sha256:
            self.location.mkdir(parents=True, exist_ok=True)
            arrived.replace(kept)

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
            return self.identity_of(self._content())
        return "original" if self._origin(listing) == "original" else self.identity_of(listing)

    def _origin(self, listing: str) -> str:
        """Tell whether the photographs are those of the official archive, and no others."""
        published = {
            path: sha256
            for path, sha256 in self._published().items()
            if path.rpartition("/")[0] in self.classes and is_visible(path.rpartition("/")[2])
        }
        return "original" if published and listing == _checksum(published) else "copy"

    def _photographs(self) -> dict[str, str] | None:
        """Return path → SHA-256 of each photograph; None where a class has no folder."""
        if not self._has_folders():
            return None
        found = [path for name in self.classes for path in visible_files(self.location / name)]
        names = [f"{path.parent.name}/{path.name}" for path in found]
        return dict(zip(names, sha256_of_all(found), strict=True))

    def _folders(self) -> list[Path]:
        return [self.location / name for name in self.classes]

    def _has_folders(self) -> bool:
        return all(map(Path.is_dir, self._folders()))

    def _claims(self) -> bool:
        return self._has_folders() and super()._claims()

    def _published(self) -> Mapping[str, str]:
        """Return path → SHA-256 of each of the archive's files; nothing where it is not there, or damaged."""
        try:
            return _sha256_in_archive(self, self.kept, state_of(self.kept))
        except OSError:
            return {}

    def _fetch_photographs(self) -> None:
        """Unpack the official archive, and move what it holds to its place; what lies there stays."""
        from dlbook.data import fetching

        (packed,) = self._whole() or fetching.fetch(self.archives, self.sources, self.downloads)
        top = self.downloads / "unpacked"
        shutil.rmtree(top, ignore_errors=True)
        archives.extract_tar(packed, top, self.archives[0].largest)
        folder = top / self.name
        if not all((folder / name).is_dir() for name in self.classes):
            raise DataError(f"{packed} lacks a folder of {', '.join(self.classes)}")
        self._require_no_others(folder)
        self.location.mkdir(parents=True, exist_ok=True)
        self._fill(folder, packed)

    def _require_no_others(self, folder: Path) -> None:
        """Raise a `DataError` where photographs lie here that are not the archive's, those in ``folder``."""
        there = filter(Path.is_dir, self._folders())
        for path in (path for place in there for path in visible_files(place)):
            published = folder / path.parent.name / path.name
            if not published.is_file() or not filecmp.cmp(path, published, shallow=False):
                raise DataError(
                    f"{self.location} lacks the folder of a class. Move it away, and the next run fetches "
                    "the photographs; or add what is missing."
                )

    def _fill(self, folder: Path, packed: Path) -> None:
        """Move what is missing to its place; what lies there stays, and is the archive's or no photograph.

        The archive is moved before the last class. Until that is there too, nothing is taken for whole, and
        after a run that was killed the next one does what is left.
        """
        parts = {path.name for path in folder.iterdir()} - set(self.classes)
        missing = [name for name in self.classes if not (self.location / name).exists()]
        begun = [path for name in self.classes if name not in missing for path in (folder / name).iterdir()]
        for path in (*begun, *(folder / name for name in sorted(parts) + missing[:-1])):
            target = self.location / path.relative_to(folder)
            if not target.exists():
                shutil.move(path, target)
        for path in (packed, *(folder / name for name in missing[-1:])):
            shutil.move(path, self.location / path.name)

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
        words = f"{len(train) + len(test):,} photographs{self._left_out(bad | bad_in_test)}"
        return Content(train, test, words, listing, self._origin(listing))

    def _split(self, chosen: Sequence["Photo"]) -> tuple["Split", dict[Path, str]]:
        from dlbook.data import photos

        try:
            return photos.read(chosen, self.classes, self.shape[-1])
        except DataError as error:
            raise DataError(
                f"{self.location} has too few photographs that can be decoded: {error}"
            ) from error

    def _left_out(self, skipped: Mapping[Path, str]) -> str:
        if not skipped:
            return ""
        shown = ((os.fsencode(path.relative_to(self.location)), why) for path, why in skipped.items())
        names = sorted(f"{name.decode(errors='replace')} ({why})" for name, why in shown)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"; left out: {', '.join(names[:_NAMED])}{more}"


@functools.lru_cache
def _sha256_in_archive(entry: PhotoFolders, kept: Sequence[Path], state: object) -> Mapping[str, str]:
    """Return path → SHA-256 of its files; while the archive's state stays the same, it is read once."""
    (packed,), (archive,) = kept, entry.archives
    found = {}
    try:
        require_checksum(packed, archive.sha256)
        for name, content in archives.read_tar(packed, archive.largest):
            path = PurePosixPath(name)
            if path.is_relative_to(entry.name):
                found[str(path.relative_to(entry.name))] = hashlib.sha256(content).hexdigest()
    except DataError:
        return {}
    return found


def _checksum(photographs: Mapping[str, str]) -> str:
    facts = "\n".join(f"{path} {sha256}" for path, sha256 in sorted(photographs.items()))
    return hashlib.sha256(facts.encode(errors="surrogateescape")).hexdigest()
