"""Keep the execution cache whole: one build at a time, and no damaged entry is ever rendered.

jupyter-cache neither locks its folder nor checks what it reads back. This extension does both, and
lets jupyter-cache itself remove what is damaged; the chapters concerned are executed again.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from chapters import cache_folder
from filelock import FileLock, Timeout
from jupyter_cache import get_cache
from jupyter_cache.cache.db import NbCacheRecord
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
NOTEBOOK, CHECKSUM = "base.ipynb", "base.sha256"
# A file in an entry that another machine computed.
ELSEWHERE = "from-elsewhere"


def checksum(notebook: Path) -> str:
    """Return the SHA-256 of a cached notebook."""
    return hashlib.sha256(notebook.read_bytes()).hexdigest()


def sign(cache: Path) -> None:
    """Write the checksum of each new entry beside it."""
    for notebook in cache.glob(f"executed/*/{NOTEBOOK}"):
        signature = notebook.with_name(CHECKSUM)
        if not signature.exists():
            signature.write_text(checksum(notebook))


def is_whole(entry: Path) -> bool:
    """Tell whether a cache entry is, byte for byte, what was signed."""
    notebook, signature = entry / NOTEBOOK, entry / CHECKSUM
    return notebook.exists() and signature.exists() and signature.read_text() == checksum(notebook)


def came_from_elsewhere(entry: Path) -> bool:
    """Tell whether a cache entry was computed on another machine and merged into this cache."""
    return (entry / ELSEWHERE).exists()


def entries(cache: Path) -> list[tuple[int, str, str]] | None:
    """Return number, key and source file of each entry; None where the cache's list cannot be read.

    Read with sqlite3 itself: to load what jupyter-cache reads it with takes longer than the rest.
    """
    try:
        with closing(sqlite3.connect(cache / "global.db")) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                return None
            return database.execute("SELECT pk, hashkey, uri FROM nbcache").fetchall()
    except sqlite3.DatabaseError:
        return None


def drop_damaged(cache: Path) -> list[str]:
    """Remove what is damaged from a cache.

    Args:
        cache: jupyter-cache's folder, which may not exist.

    Returns:
        The source files whose entries were removed; ``*`` where the whole cache is gone, or had to go.
    """
    if not (cache / "global.db").exists():
        return ["*"]
    listed = entries(cache)
    if listed is None:
        get_cache(str(cache)).clear_cache()
        return ["*"]
    damaged = [(pk, uri) for pk, key, uri in listed if not is_whole(cache / "executed" / key)]
    if damaged:
        NbCacheRecord.remove_records([pk for pk, _ in damaged], get_cache(str(cache)).db)
    return sorted({uri for _, uri in damaged})


def locked(folder: Path) -> FileLock:
    """Return the lock of a build's folder, held; released when it is left as a context, or with `release`."""
    folder.mkdir(parents=True, exist_ok=True)
    guard = FileLock(folder / ".build.lock")
    try:
        guard.acquire(timeout=0)
    except Timeout:
        LOGGER.info("another build is running in %s: waiting for it to finish", folder)
        guard.acquire()
    return guard


class Keeper:
    """Guards one build's cache, between Sphinx's events."""

    def lock(self, app: Sphinx, config: Config) -> None:
        """Wait for any other build in the same folder; the system frees the lock if this one dies."""
        self.guard = locked(Path(app.outdir).parent)

    def check(self, app: Sphinx) -> None:
        """Drop damaged entries before anything is read, and say so."""
        cache = cache_folder(app.env)
        existed = (cache / "global.db").exists()
        self.dropped = drop_damaged(cache)
        for source in self.dropped if existed else []:
            what = (
                "the execution cache was damaged and is"
                if source == "*"
                else f"{source}: its cached outputs were"
            )
            LOGGER.info("%s removed; what is missing executes again", what)

    def outdated(
        self, app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
    ) -> list[str]:
        """Report the pages whose entries were dropped."""
        executed = {name for name in env.found_docs if "kernelspec" in env.metadata.get(name, {})}
        if "*" in self.dropped:
            return sorted(executed)
        return sorted(name for name in executed if env.doc2path(name) in self.dropped)

    def release(self, app: Sphinx, exception: Exception | None) -> None:
        """Let the next build begin."""
        self.guard.release()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    keeper = Keeper()
    app.connect("config-inited", keeper.lock)
    app.connect("builder-inited", keeper.check, priority=900)  # after myst-nb has read its configuration
    app.connect("env-get-outdated", keeper.outdated)
    app.connect("build-finished", keeper.release, priority=999)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
