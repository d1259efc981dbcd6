"""The kinds of image sets: idx files as they were published, and what is kept as a tensor cache.

The site's build imports this module, so it imports nothing heavy.
"""

import functools
import hashlib
import json
import struct
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dlbook.data import archives
from dlbook.data.files import draft, locked, require_checksum, sha256_of, sweep
from dlbook.data.image_sets import ImageSet
from dlbook.data.source import DataError

if TYPE_CHECKING:
    from dlbook.data.dataset import Content


@dataclass(frozen=True, kw_only=True)
class IdxFiles(ImageSet):
    """Four idx files, kept unpacked and otherwise as they were published, perhaps torchvision's own copy.

    Attributes:
        unpacked: path below the data directory, and SHA-256, of each archive's file.
    """

    unpacked: Mapping[str, str]

    @property
    def files(self) -> tuple[Path, ...]:
        """The unpacked files."""
        return tuple(self.directory / path for path in self.unpacked)

    def verify(self) -> None:
        """Check every file against the checksum of what was published."""
        for file, sha256 in zip(self.files, self.unpacked.values(), strict=True):
            require_checksum(file, sha256)

    def is_published(self, file: Path) -> bool:
        """Tell whether it has the checksum of what was published."""
        published = dict(zip(self.files, self.unpacked.values(), strict=True))
        return sha256_of(file) == published[file]

    def read(self) -> "Content":
        """Return what the files hold; errors are as `ImageSet.read` says."""
        from dlbook.data import idx
        from dlbook.data.dataset import Content, Split

        self.verify()
        arrays = idx.read([file.read_bytes() for file in self.files])
        train, test = (Split.of(each, self.classes) for each in arrays)
        return Content(train, test, "", "", "original").completed()

    def make(self) -> "Content":
        """Fetch and unpack the files; errors are as `ImageSet.make` says."""
        from dlbook.data import fetching

        packed = fetching.fetch(self.archives, self.sources, self.downloads)
        sweep(self.location)
        facts = zip(packed, self.archives, self.files, self.unpacked.values(), strict=True)
        for path, archive, file, sha256 in facts:
            if file.exists() and sha256_of(file) != sha256:  # another program's, perhaps
                file.replace(file.with_name(f"{file.name}.damaged"))
            with draft(file) as written:
                written.write_bytes(archives.read_gzip(path, archive.largest))
        return self.read()


@dataclass(frozen=True, kw_only=True)
class Cached(ImageSet):
    """Images that are kept as a tensor cache (`dlbook.data.cache`), made anew when it is outdated."""

    # What is wrong with a cache that was made from other files than those that are known now.
    outdated: ClassVar[str] = "it was made from other files than those that are known now"

    @property
    def files(self) -> tuple[Path, ...]:
        """The tensor cache."""
        return self.cache_files

    def verify(self) -> None:
        """Check the cache against the checksum that was written down."""
        from dlbook.data.dataset import checksum

        content = self.read()
        if content.sha256 and content.sha256 != checksum(content.train, content.test):
            raise DataError(f"{self.location} is damaged: its SHA-256 is not the one that was written down")

    def read(self) -> "Content":
        """Return what the cache holds; errors are as `ImageSet.read` says."""
        from dlbook.data import cache

        content = cache.read(self)
        if self._made_from(content.origin) not in (None, content.source_sha256):
            raise DataError(f"{self.location}: {self.outdated}.")
        return content

    @abstractmethod
    def _made_from(self, origin: str) -> str | None:
        """Return a checksum of what the cache should have been made from; None where nobody knows."""

    def _adopt(self, content: "Content") -> "Content":
        """Write the checksums into a cache from elsewhere, so that it is verified from now on, and faster."""
        from dlbook.data import cache

        if content.sha256:
            return content
        complete = content.completed()
        with (
            suppress(OSError),
            locked(self.name, self.directory),
        ):  # a folder that cannot be written is as good
            if not cache.read(self).sha256:
                cache.write(self, complete)
        return complete

    def _as_kept(self, content: "Content") -> "Content":
        """Return the cache that was just written, which is mapped: what was made fills the memory."""
        with suppress(DataError):  # a folder that cannot be written has none
            return self.read().completed()
        return content

    def _identity(self) -> str:
        if all(map(self.is_published, self.files)):
            return "original"
        return self.identity_of(self._content())  # whatever it says of itself

    def _content(self) -> str:
        """Return the checksum of the pixels and labels, as if it had been written down."""
        return content_sha256(self.files)

    @staticmethod
    def identity_of(copy: str) -> str:
        """Return the identity of a copy, from what tells it from other copies."""
        return f"copy {hashlib.sha256(copy.encode()).hexdigest()[:8]}"


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return what a safetensors file says of its tensors and of itself, and where the tensors begin."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, 1_000_000)))
        return (header if isinstance(header, dict) else {}), 8 + length
    except (OSError, ValueError, struct.error):
        return {}, 0


def metadata(path: Path) -> dict[str, str]:
    """Return what a safetensors file says of itself; nothing, where it cannot be read."""
    said = _header(path)[0].get("__metadata__")
    return said if isinstance(said, dict) else {}


def content_sha256(files: Sequence[Path]) -> str:
    """Return `dlbook.data.dataset.checksum` of the splits in files of a tensor cache, read without PyTorch.

    What is wrong with a damaged one, its reader says.
    """
    return _content_sha256(files, state_of(files))


def state_of(files: Sequence[Path]) -> object:
    """Return what changes on the disk when the files do; while it is the same, they need no second look.

    Raises:
        OSError: one is missing.
    """
    facts = [file.stat() for file in files]
    return tuple((fact.st_mtime_ns, fact.st_size) for fact in facts)


@functools.lru_cache
def _content_sha256(files: Sequence[Path], state: object) -> str:
    digest = hashlib.sha256()
    for path in files:
        header, begin = _header(path)
        with suppress(KeyError, TypeError, ValueError, OSError), path.open("rb") as file:
            for name in ("images", "labels"):
                start, end = header[name]["data_offsets"]
                file.seek(begin + start)
                while start < end and (part := file.read(min(1 << 20, end - start))):
                    digest.update(part)
                    start += len(part)
    return digest.hexdigest()
