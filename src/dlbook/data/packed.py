"""Image sets that are read from their archives once; these stay, and prove what was made from them.

The site's build imports this module, so it imports nothing heavy.
"""

import functools
import hashlib
import shutil
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlbook.data import archives
from dlbook.data.files import locked, require_checksum, sha256_of
from dlbook.data.kinds import Cached, content_sha256, metadata, state_of
from dlbook.data.source import DataError, NoSource

if TYPE_CHECKING:
    from dlbook.data.dataset import Content, Split


@dataclass(frozen=True, kw_only=True)
class CachedArchives(Cached):
    """Images that are read from their archives once; a kind says how.

    The archives stay beside the tensor cache. It could say of itself what it likes; that it holds what was
    published, they alone can prove, whose checksums the registry knows.
    """

    @property
    def kept(self) -> tuple[Path, ...]:
        """The archives."""
        return tuple(self.location / archive.name for archive in self.archives)

    @abstractmethod
    def parse(self, packed: list[Path]) -> tuple["Split", "Split"]:
        """Return the training and the test split that the archives hold, whose checksums are right.

        Raises:
            DataError: they are not what they should be.
        """

    def is_published(self, file: Path) -> bool:
        """Tell whether its images and labels are, byte for byte, those of the archives beside it."""
        if not _claims(file):
            return False
        published = dict(zip(self.files, self._published(), strict=False))
        return published.get(file) == content_sha256((file,))

    def read(self) -> "Content":
        """Return what the cache holds; errors are as `ImageSet.read` says."""
        content = super().read()
        if content.origin != "original" or all(map(self.is_published, self.files)):
            return content
        asked = f"`python -m dlbook.data verify {self.name}`"
        return replace(
            content, origin="copy", source=f"it says that it is made of these, which {asked} denies"
        )

    def verify(self) -> None:
        """Check the cache against its checksum, and against the archives where it says that it is theirs."""
        super().verify()
        for file in filter(_claims, self.files):
            if not all(kept.exists() for kept in self.kept):
                raise DataError(
                    f"{file} says that it is made of the original files, which are not beside it to prove "
                    f"that; `python -m dlbook.data fetch {self.name}` brings them"
                )
            for kept, archive in zip(self.kept, self.archives, strict=True):
                require_checksum(kept, archive.sha256)
            if not self.is_published(file):
                raise DataError(
                    f"{file} says that it is made of the original files beside it, and is not. Delete or "
                    "move it, and the next run makes it again."
                )

    def bring(self) -> str:
        """Fetch the data set; where it only says that it is the original, the archives that prove it too."""
        if self.is_present() and all(map(_claims, self.files)):
            try:
                with locked(self.name, self.directory):
                    self._packed()
            except NoSource as unreachable:
                raise DataError(f"{self.name} cannot be had: {unreachable}") from unreachable
        return super().bring()

    def remove(self) -> list[Path]:
        """Remove what `fetch` would bring or make again, the archives last: they prove what it is."""
        left = super().remove()
        for file in self._whole():
            file.unlink()
        return [path for path in left if path.exists()]

    def make(self) -> "Content":
        """Fetch the archives, and write the cache; errors are as `ImageSet.make` says."""
        from dlbook.data import cache
        from dlbook.data.dataset import Content

        train, test = self.parse(self._packed())
        checksums = str(self._made_from("original"))
        content = Content(train, test, "the original files", checksums, "original").completed()
        cache.write(self, content)
        return content

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

    def _published(self) -> tuple[str, ...]:
        """Return the checksum of each split of the archives; none where one is missing or damaged."""
        try:
            return _split_sha256(self, self.kept, state_of(self.kept))
        except OSError:
            return ()

    def _made_from(self, origin: str) -> str | None:
        if origin != "original":
            return None
        checksums = "".join(archive.sha256 for archive in self.archives)
        return hashlib.sha256(checksums.encode()).hexdigest()


def _claims(file: Path) -> bool:
    """Tell whether a file of a tensor cache says that it was made from the original files."""
    return metadata(file).get("origin") == "original"


@functools.lru_cache
def _split_sha256(entry: CachedArchives, kept: Sequence[Path], state: object) -> tuple[str, ...]:
    """Return the checksum of each split; while the archives' state stays the same, they are read once."""
    from dlbook.data.dataset import checksum

    try:
        for file, archive in zip(kept, entry.archives, strict=True):
            require_checksum(file, archive.sha256)
        return tuple(checksum(split) for split in entry.parse(list(kept)))
    except DataError:
        return ()


@dataclass(frozen=True, kw_only=True)
class IdxArchives(CachedArchives):
    """Four packed idx files, as Fashion-MNIST's."""

    def parse(self, packed: list[Path]) -> tuple["Split", "Split"]:
        """Read the four idx files."""
        from dlbook.data import idx

        sizes = (archive.largest for archive in self.archives)
        return idx.splits(list(map(archives.read_gzip, packed, sizes)), self.classes)


@dataclass(frozen=True, kw_only=True)
class PickledBatches(CachedArchives):
    """One archive of pickled batches, as CIFAR-10's."""

    def parse(self, packed: list[Path]) -> tuple["Split", "Split"]:
        """Read the batches."""
        from dlbook.data import cifar

        return cifar.read(packed[0], self.archives[0].largest, self.classes)
