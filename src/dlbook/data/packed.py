"""Image sets that are read from their archives once.

The site's build imports this module, so it imports nothing heavy.
"""

import functools
import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlbook.data import archives
from dlbook.data.files import require_checksum, sha256_of_arrays
from dlbook.data.kept import KeptArchives, claims
from dlbook.data.kinds import content_sha256, state_of
from dlbook.data.source import DataError

if TYPE_CHECKING:
    from dlbook.data.dataset import Arrays, Content


@dataclass(frozen=True, kw_only=True)
class CachedArchives(KeptArchives):
    """Images that are read from their archives once; a kind says how."""

    @abstractmethod
    def parse(self, packed: Sequence[Path]) -> tuple["Arrays", "Arrays"]:
        """Return the training and the test split that the archives hold, whose checksums are right.

        It loads no PyTorch, as whoever asks what there is would wait for that.

        Raises:
            DataError: they are not what they should be.
        """

    def is_published(self, file: Path) -> bool:
        """Tell whether its images and labels are, byte for byte, those of the archives beside it."""
        if not claims(file):
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
        for file in filter(claims, self.files):
            if not self.is_published(file):
                raise DataError(
                    f"{file} says that it is made of the original files beside it, and is not. Delete or "
                    "move it, and the next run makes it again."
                )

    def make(self) -> "Content":
        """Fetch the archives, and write the cache; errors are as `ImageSet.make` says."""
        from dlbook.data import cache
        from dlbook.data.dataset import Content, Split

        train, test = (Split.of(arrays, self.classes) for arrays in self.parse(self._packed()))
        checksums = str(self._made_from("original"))
        content = Content(train, test, "the original files", checksums, "original").completed()
        cache.write(self, content)
        return content

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


@functools.lru_cache
def _split_sha256(entry: CachedArchives, kept: Sequence[Path], state: object) -> tuple[str, ...]:
    """Return the checksum of each split; while the archives' state stays the same, they are read once."""
    try:
        for file, archive in zip(kept, entry.archives, strict=True):
            require_checksum(file, archive.sha256)
        return tuple(map(sha256_of_arrays, entry.parse(kept)))
    except DataError:
        return ()


@dataclass(frozen=True, kw_only=True)
class IdxArchives(CachedArchives):
    """Four packed idx files, as Fashion-MNIST's."""

    def parse(self, packed: Sequence[Path]) -> tuple["Arrays", "Arrays"]:
        """Read the four idx files."""
        from dlbook.data import idx

        sizes = (archive.largest for archive in self.archives)
        return idx.read(list(map(archives.read_gzip, packed, sizes)))


@dataclass(frozen=True, kw_only=True)
class PickledBatches(CachedArchives):
    """One archive of pickled batches, as CIFAR-10's."""

    def parse(self, packed: Sequence[Path]) -> tuple["Arrays", "Arrays"]:
        """Read the batches."""
        from dlbook.data import cifar

        return cifar.read(packed[0], self.archives[0].largest)
