"""The list of executed pages, jupyter-cache's database: opened wherever it lies, and waited for."""

import functools
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.cache.main import JupyterCacheBase
from sqlalchemy import event, make_url
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.exc import OperationalError

from bookbuild.book import BookError

# Its file, in the cache's folder.
LIST = "global.db"
# Seconds to wait for a database that another program holds.
PATIENCE = 60
# What SQLite says of a database that is none, or not this one; all else has a cause outside of the file.
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
# What SQLite says where a file that nobody else knows cannot be locked.
LOCKLESS = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
)
# A list's path as SQLAlchemy reads it off the address that jupyter-cache hands it → what SQLite takes for it.
_addresses: dict[str, str] = {}


def opened(folder: Path) -> JupyterCacheBase:
    """Return jupyter-cache's view of a folder, of any name: in an address, % and ? would be no letters."""
    path = os.path.abspath(folder / LIST)
    _addresses[os.path.abspath(make_url(f"sqlite:///{path}").database or path)] = _address(folder)
    return get_cache(str(folder))


@event.listens_for(Engine, "do_connect")
def _by_path(dialect: Dialect, record: object, arguments: list[Any], named: dict[str, Any]) -> None:
    """Let jupyter-cache, ours and myst-nb's, find its list where the path leads."""
    if arguments[0] in _addresses:
        arguments[0], named["uri"] = _addresses[arguments[0]], True


@event.listens_for(Engine, "connect")
def _wait(connection: sqlite3.Connection, _: object) -> None:
    """Let jupyter-cache, ours and myst-nb's, wait for a database that another program holds, too."""
    connection.execute(f"PRAGMA busy_timeout = {1000 * PATIENCE:.0f}")


def _address(folder: Path) -> str:
    """Return a list's address for SQLite, which is told where no file can be locked.

    There, on some network drives, every access would fail; see `bookbuild.run.cache.lock`, which says so.
    """
    beside = next(parent for parent in folder.absolute().parents if parent.exists())
    return Path(os.path.abspath(folder / LIST)).as_uri() + ("" if _has_locks(beside) else "?vfs=unix-none")


@functools.cache  # a drive's locks do not change while a build runs, which opens its list many times
def _has_locks(folder: Path) -> bool:
    try:
        with (
            tempfile.NamedTemporaryFile(dir=folder) as own,
            closing(sqlite3.connect(own.name, timeout=0)) as database,
        ):
            database.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode not in LOCKLESS
    except OSError:  # only to be read, or full
        return True
    return True


def entries(folder: Path) -> list[NbCacheRecord] | None:
    """Return what the cache's list has of each entry; None where the list is damaged.

    Raises:
        BookError: another program holds the list, or it cannot be opened.
    """
    path, columns = folder / LIST, ", ".join(NbCacheRecord.__table__.columns.keys())
    try:
        with closing(sqlite3.connect(_address(folder), timeout=PATIENCE, uri=True)) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                return None
            database.execute(f"SELECT {columns} FROM nbcache").fetchall()
        with unheld(f"{path} cannot be read"):
            return opened(folder).list_cache_records()
    except sqlite3.DatabaseError as error:
        # Python gives no code to a text that is no UTF-8. The higher bits say more about an error.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in DAMAGE:
            return None
        raise BookError(
            f"the list of executed pages, {path}, cannot be read: {error}. Nothing was changed; end the "
            "program that uses the file, or let this user read and write it, and build again"
        ) from error
    except (ValueError, TypeError, RecursionError):  # no check of SQLite's reads a date, or JSON
        return None


@contextmanager
def unheld(said: str) -> Iterator[None]:
    """Let jupyter-cache use its list, and where another program holds it, say so, and what cannot be done."""
    try:
        yield
    except RuntimeError as error:  # which says no more than that the cache may need to be cleared
        if not isinstance(error.__cause__, OperationalError):
            raise
        raise BookError(
            f"{said}: {error.__cause__.orig}. No entry was damaged; end the program that uses the list, and "
            "try again"
        ) from error
