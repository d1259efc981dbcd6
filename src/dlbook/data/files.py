"""Files that are whole or not there, checked byte for byte, and made by one process at a time."""

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from dlbook.data.source import DataError

if TYPE_CHECKING:
    import numpy as np

_DRAFT = ".draft"
# What systems put into folders that somebody looks at, beside what is hidden by its name.
_LITTER = {"desktop.ini", "ehthumbs.db", "icon\r", "thumbs.db"}


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; what lies there at the end becomes ``path``, at once.

    After an error, or a power cut, ``path`` is what it was before.

    Raises:
        OSError: the folder cannot take the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}-{secrets.token_hex(4)}{_DRAFT}")
    try:
        written.touch()
        mode = written.stat().st_mode  # what the umask allows; a writer may choose less
        yield written
        written.chmod(mode)
        with written.open("rb+") as file:
            os.fsync(file.fileno())  # else the new name could reach the disk before the content
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the drafts that killed processes left; call it under the data set's lock."""
    for left in folder.glob(f".*{_DRAFT}"):
        left.unlink(missing_ok=True)


@contextmanager
def locked(name: str, directory: Path) -> Iterator[None]:
    """Let one process at a time make a data set; the others wait. The lock dies with its holder.

    Where the folder cannot be written, there is nothing to fight over, and no lock.
    """
    lock = lock_of(directory / f".{name}.lock")
    with suppress(OSError, NotImplementedError):  # the latter, from an older filelock without locks
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(poll_interval=0.05)
    try:
        yield
    finally:
        lock.release()


def lock_of(path: Path) -> FileLock:
    """Return a lock that its holder's death frees; to take it raises an OSError where there are no locks.

    What filelock takes in the place of one is a file that a killed process leaves, for which all others
    then wait; and its warning would fail a page.
    """
    try:
        return FileLock(path, fallback_to_soft=False)
    except TypeError:  # an older filelock does not know the option
        return FileLock(path)


def sha256_of(path: Path) -> str:
    """Return a file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_all(paths: Sequence[Path]) -> list[str]:
    """Return the SHA-256 of each file; several are read at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(sha256_of, paths))


def sha256_of_arrays(arrays: "Iterable[np.ndarray]") -> str:
    """Return the SHA-256, as 64 hexadecimal digits, over the bytes of contiguous arrays in order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.data)
    return digest.hexdigest()


def visible_files(folder: Path) -> list[Path]:
    """Return the files that lie in a folder, but not what is hidden, nor what systems put there."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and is_visible(path.name)]


def is_visible(name: str) -> bool:
    """Tell whether a name is one that a user gives a file."""
    return not name.startswith(".") and name.lower() not in _LITTER


def require_checksum(path: Path, sha256: str) -> None:
    """Raise a `DataError` where a file is not, byte for byte, what it should be."""
    if not path.exists():
        raise DataError(f"{path} is missing")
    found = sha256_of(path)
    if found != sha256:
        raise DataError(
            f"{path} is damaged: its SHA-256 is {found}, it should be {sha256}. "
            "Delete or move it, and the next run fetches it again."
        )
