"""The store of executed pages: one build at a time, and no damaged entry is ever rendered.

jupyter-cache neither locks its folder nor checks what it reads back. This module does both. What seems
damaged is set aside and not deleted, as hours may have gone into it; the pages concerned are executed again.
"""

import errno
import hashlib
import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from filelock import FileLock, Timeout
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.cache.main import NbArtifacts
from sphinx.util import logging

from bookbuild.book import Outputs
from bookbuild.run.entry_list import LIST, entries, opened, unheld
from dlbook.data.files import lock_of
from dlbook.record import Record

LOGGER = logging.getLogger(__name__)
NOTEBOOK, CHECKSUM = "base.ipynb", "base.sha256"
# In an entry: the page's record, and the folder of the files that the page saved.
RECORD, FILES = "record.json", "files"
# A file in an entry that another machine computed.
ELSEWHERE = "from-elsewhere"
# What a file system says that has no locks, or none to give.
LOCKLESS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
# Of entries that jupyter-cache keeps; its own thousand would push a book's earlier outputs out in time.
MOST_ENTRIES = 1_000_000


def checksum(entry: Path) -> str:
    """Return the SHA-256 over an entry's notebook and artifacts, their names included."""
    digest = hashlib.sha256()
    for path in [entry / NOTEBOOK, *sorted(path for path in entry.glob("artifacts/**/*") if path.is_file())]:
        digest.update(f"{path.relative_to(entry).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_whole(entry: Path) -> bool:
    """Tell whether a cache entry is, byte for byte, what was signed, and has a record."""
    signature = entry / CHECKSUM
    parts = (entry / NOTEBOOK, entry / "artifacts" / RECORD, signature)
    return all(part.exists() for part in parts) and signature.read_bytes() == checksum(entry).encode()


def sign(entry: Path) -> None:
    """Write an entry's checksum into it."""
    (entry / CHECKSUM).write_text(checksum(entry))


@contextmanager
def locked(build: Path) -> Iterator[None]:
    """Let one build at a time use a folder; the others wait, and say so."""
    guard = lock(build)
    try:
        yield
    finally:
        guard.release()


def lock(build: Path) -> FileLock:
    """Return the lock of a build's folder, held; the system frees it if this process dies.

    Some network drives have no locks: there it is not held, and the build says so.
    """
    build.mkdir(parents=True, exist_ok=True)
    guard = lock_of(build / ".build.lock")
    try:
        guard.acquire(timeout=0)
    except Timeout:
        LOGGER.info("another build is running in %s: waiting for it to finish", build)
        guard.acquire()
    except OSError as error:
        if error.errno not in LOCKLESS:
            raise
        LOGGER.info(
            "%s can hold no lock (%s): let no second build run in it meanwhile", build, error.strerror
        )
    return guard


class ExecutionCache:
    """jupyter-cache's folder, with a record and saved files beside each notebook.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cache = opened(folder)

    def drop_damaged(self) -> list[str]:
        """Set aside what is damaged, and say so.

        Returns:
            The source files whose entries were set aside; ``*`` where it was the whole cache.

        Raises:
            BookError: the cache cannot be read, and nobody knows whether it is damaged.
        """
        if not (self.folder / LIST).exists():
            return []
        listed = entries(self.folder)
        if listed is None:
            place = self._set_aside(self.folder)
            self._cache = opened(self.folder)
            LOGGER.info("the execution cache was damaged and is now %s; its pages execute again", place)
            return ["*"]
        damaged = [record for record in listed if not is_whole(self._entry(record.hashkey))]
        if damaged:
            with unheld(f"damaged outputs cannot be taken out of {self.folder}"):
                NbCacheRecord.remove_records([record.pk for record in damaged], self._cache.db)
        for record in damaged:
            place = self._set_aside(self._entry(record.hashkey))
            LOGGER.info("%s: its cached outputs were damaged and are now %s", record.uri, place)
        return sorted({record.uri for record in damaged})

    def _set_aside(self, path: Path) -> Path:
        place = self.folder.with_name(f"{self.folder.name}-damaged")
        place.mkdir(exist_ok=True)
        target = place / f"{datetime.now():%Y-%m-%d-%H%M%S-%f}-{path.name.lstrip('.')}"
        if path.exists():
            path.rename(target)
        return target

    def keys(self) -> set[str]:
        """Return what the entries are kept under."""
        return {record.hashkey for record in self._listed()}

    def fingerprints(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield key, source file and fingerprint of each entry; an empty one where it has none."""
        for record in self._listed():
            stored = json.loads((self._entry(record.hashkey) / NOTEBOOK).read_text(encoding="utf-8"))
            try:
                said = stored["metadata"]["kernelspec"]["fingerprint"]
            except (LookupError, TypeError):
                said = {}
            yield record.hashkey, record.uri, said

    def _listed(self) -> list[NbCacheRecord]:
        with unheld(f"what {self.folder} lists cannot be read"):
            return self._cache.list_cache_records()

    def copy(self, keys: Collection[str], folder: Path) -> None:
        """Copy the entries of these keys, and no others, to a folder that is not there."""
        shutil.copytree(self.folder, folder)
        ExecutionCache(folder).forget(keys)

    def forget(self, but: Collection[str], since: datetime | None = None) -> int:
        """Remove all entries but those of these keys; return how many.

        Args:
            but: the keys to keep.
            since: entries that were read after this time stay too; in UTC, without a time zone.
        """
        old = [
            record
            for record in self._listed()
            if record.hashkey not in but and (since is None or record.accessed < since)
        ]
        with unheld(f"old outputs cannot be taken out of {self.folder}"):
            for record in old:
                self._cache.remove_cache(record.pk)
        return len(old)

    def find(self, key: str) -> Outputs | None:
        """Return the outputs that are kept under a key; None where there are none."""
        try:
            with unheld(f"what {self.folder} has cannot be read"):
                NbCacheRecord.record_from_hashkey(key, self._cache.db)
        except KeyError:
            return None
        entry = self._entry(key)
        record = Record.from_json((entry / "artifacts" / RECORD).read_text(encoding="utf-8"))
        return Outputs(key, record, entry / "artifacts" / FILES, (entry / ELSEWHERE).exists())

    def store(self, source: Path, notebook: nbformat.NotebookNode, artifacts: Path, seconds: float) -> None:
        """Keep an executed page; whatever was kept for the same key is replaced.

        Args:
            source: of the page.
            notebook: executed; its kernelspec has the fingerprint.
            artifacts: a folder with the record as ``record.json``, and the files below ``files``.
            seconds: that the execution took.
        """
        paths = [str(path) for path in artifacts.rglob("*") if path.is_file()]
        bundle = CacheBundleIn(
            notebook,
            str(source),
            artifacts=NbArtifacts(paths, in_folder=artifacts),
            data={"execution_seconds": seconds},
        )
        self.keep(bundle)

    def keep(self, bundle: CacheBundleIn, is_from_elsewhere: bool = False) -> None:
        """Keep what jupyter-cache calls a bundle, of this machine or of another one.

        Cut off in the middle, the entry has no signature, and the next build sets it aside.

        Raises:
            BookError: another program holds the list of entries.
        """
        _, key = self._cache.create_hashed_notebook(bundle.nb)
        with unheld(f"{bundle.uri} cannot be kept in {self.folder}"):
            if self._entry(key).exists() and key not in self.keys():  # what a killed build left behind
                self._set_aside(self._entry(key))
            self._cache.change_cache_limit(MOST_ENTRIES)
            kept = self._cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
        entry = self._entry(kept.hashkey)
        if is_from_elsewhere:
            (entry / ELSEWHERE).touch()
        sign(entry)

    def _entry(self, key: str) -> Path:
        return self.folder / "executed" / key
