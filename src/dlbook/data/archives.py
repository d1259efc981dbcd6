"""Archives from the web, unpacked without trust: no path outside, no links, no bombs."""

import gzip
import io
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from dlbook.data.source import DataError

# What a file takes on a disk at least: so a million empty files are a bomb too.
_BLOCK = 4096


class _RefusedError(Exception):
    """The archive holds what is not unpacked."""


class _Stream(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than ``limit`` bytes."""

    def __init__(self, stream: _Stream, limit: int) -> None:
        self._stream, self._left, self._limit = stream, limit, limit

    def read(self, size: int = -1, /) -> bytes:
        content = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise _RefusedError(f"it unpacks to more than {self._limit:,} bytes")
        return content


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, _RefusedError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error


def read_gzip(path: Path, limit: int) -> bytes:
    """Return what a gzip file holds.

    Args:
        path: the file.
        limit: the most bytes that it may unpack to.

    Raises:
        DataError: it is cut off, damaged, no gzip file at all, or unpacks to more.
    """
    with _named_errors(path), gzip.open(path) as stream:
        return _Bounded(stream, limit).read()


def read_tar(path: Path, limit: int) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file in a gzipped tar archive.

    Args:
        path: the archive.
        limit: the most bytes that it may unpack to.

    Raises:
        DataError: the archive is damaged, holds anything but files and folders, or unpacks to more.
    """
    with _named_errors(path):
        for archive, member in _members(path, limit):
            content = archive.extractfile(member)
            yield member.name, content.read() if content else b""


def extract_tar(path: Path, folder: Path, limit: int) -> None:
    """Unpack a gzipped tar archive into a folder, and nothing outside it.

    Args:
        path: the archive; it need not be trusted.
        folder: where to unpack; made if it is not there.
        limit: the most bytes that it may unpack to; each file counts as whole blocks of 4,096 bytes.

    Raises:
        DataError: see `read_tar`; or a path leads out of the folder. What came before it stays.
        OSError: the archive cannot be read, or the folder cannot take the files.
    """
    top = folder.resolve()
    with _named_errors(path):
        for archive, member in _members(path, limit):
            # Not tarfile's own filter: Python knows it only from 3.11.4 on.
            target = (top / member.name.lstrip("/")).resolve()
            content = archive.extractfile(member)
            if content is None or not target.is_relative_to(top):
                raise _RefusedError(f"{member.name} leads out of its folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(content, file)


def _members(path: Path, limit: int) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the files in order; each must be read before the next, as the stream is not rewound."""
    taken = 0
    with gzip.open(path) as stream:
        bounded = _Bounded(stream, limit)
        archive = tarfile.open(fileobj=bounded, mode="r|")  # noqa: SIM115 - closing it would close nothing
        for member in archive:
            if not (member.isfile() or member.isdir()):
                raise _RefusedError(f"{member.name} is neither a file nor a folder")
            taken += -(-member.size // _BLOCK) * _BLOCK + _BLOCK
            if taken > limit:
                raise _RefusedError(f"it unpacks to more than {limit:,} bytes")
            if member.isfile():
                yield archive, member
        while bounded.read(_BLOCK):  # gzip's checksum comes last
            pass
