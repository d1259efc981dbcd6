"""The store of executed pages, alone: what is held, damaged or half written, and what a merge makes of it."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import nbformat
import pytest
from bookbuild.book import Book, BookError
from bookbuild.run import acceptance, cache, entry_list, exchange
from bookbuild.run.cache import CHECKSUM, NOTEBOOK, RECORD, ExecutionCache, checksum, sign
from conftest import ROOT
from lockless import drive_without_locks, without_locks

from dlbook.record import Provenance, Record

pytestmark = pytest.mark.quick

KERNEL = {"name": "python3", "display_name": "Python 3"}
RECORDED = Record({}, Provenance("cpu", "a chip", "medium", "2", "3.11", "", "", 0, ()), {})


def book_in(folder: Path) -> Book:
    return Book(folder, folder / "book", folder / "_build", folder / "_toc.yml")


def filled(book: Book, *names: str, output: nbformat.NotebookNode | None = None) -> ExecutionCache:
    """Return the book's cache, with an entry for each name, whose cell has put out this."""
    kept = ExecutionCache(book.cache_folder)
    for name in names:
        artifacts = book.root / "artifacts" / name
        artifacts.mkdir(parents=True)
        (artifacts / RECORD).write_text(RECORDED.to_json())
        cell = nbformat.v4.new_code_cell(f"print({name!r})", outputs=[output] if output else [])
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": KERNEL})
        kept.store(book.pages_folder / f"{name}.md", notebook, artifacts, 1.0)
    return kept


def entries(book: Book) -> dict[str, Path]:
    """Return the folder of each entry, by the name of its page."""
    listed = entry_list.entries(book.cache_folder) or []
    return {Path(record.uri).stem: book.cache_folder / "executed" / record.hashkey for record in listed}


def relist(book: Book, name: str, change: str) -> None:
    """Change what the list has of a page's entry, as damage to the file would."""
    with closing(sqlite3.connect(book.cache_folder / "global.db")) as database, database:
        database.execute(f"UPDATE nbcache SET {change} WHERE uri LIKE '%{name}.md'")


@contextmanager
def held(folder: Path, seconds: float, how: str = "EXCLUSIVE") -> Iterator[None]:
    """Hold the list of entries, as another program might: for so long, or until the block ends.

    ``IMMEDIATE`` lets others read it.
    """
    begun, over = threading.Event(), threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(folder / "global.db", isolation_level=None)) as other:
            other.execute(f"BEGIN {how}")
            begun.set()
            over.wait(seconds)
            other.execute("ROLLBACK")

    holder = threading.Thread(target=hold)
    holder.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        holder.join()


def aside(book: Book) -> list[Path]:
    return sorted((book.build / ".jupyter_cache-damaged").glob("*"))


@pytest.fixture
def book(tmp_path) -> Book:
    """A book with two pages in its cache."""
    book = book_in(tmp_path / "ours")
    filled(book, "one", "two")
    return book


@pytest.mark.parametrize("name", ["per%20cent", "per%cent", "what?"])
def test_a_folder_s_name_is_only_a_name(tmp_path, name):
    """jupyter-cache makes an address of it."""
    book = book_in(tmp_path / name)
    theirs = book_in(tmp_path / "theirs" / name)
    filled(book, "one")
    filled(theirs, "two")
    assert exchange.merge(theirs.cache_folder, book)["added"] == 1
    assert entries(book).keys() == {"one", "two"}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "theirs"])


def test_a_database_that_is_held_is_waited_for_and_then_named_and_the_cache_stays(book, monkeypatch):
    monkeypatch.setattr(entry_list, "PATIENCE", 0.2)
    before = entries(book)
    with sqlite3.connect(book.cache_folder / "global.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BookError, match=r"is locked.*end the program"):
            ExecutionCache(book.cache_folder).drop_damaged()
        other.rollback()
    other.close()
    assert ExecutionCache(book.cache_folder).drop_damaged() == []
    assert entries(book) == before
    assert all(cache.is_whole(entry) for entry in before.values())


def test_a_list_that_is_held_when_a_page_is_kept_is_waited_for_and_then_named(book, monkeypatch):
    """It may have taken hours: sqlite's own patience is five seconds."""
    before = entries(book)
    with held(book.cache_folder, seconds=7):
        filled(book, "three")
    assert entries(book).keys() > before.keys()
    monkeypatch.setattr(entry_list, "PATIENCE", 0.2)
    with (
        held(book.cache_folder, seconds=60),
        pytest.raises(BookError, match=r"four\.md cannot be kept.*locked"),
    ):
        filled(book, "four")


USES = {
    "find": ("EXCLUSIVE", lambda kept: kept.find("a-key")),
    "keys": ("EXCLUSIVE", lambda kept: kept.keys()),
    "fingerprints": ("EXCLUSIVE", lambda kept: list(kept.fingerprints())),
    "forget": ("IMMEDIATE", lambda kept: kept.forget([])),
    "drop damaged": ("IMMEDIATE", lambda kept: kept.drop_damaged()),
}


@pytest.mark.parametrize(("how", "use"), USES.values(), ids=USES)
def test_a_list_that_is_held_is_named_whatever_it_is_needed_for(book, monkeypatch, how, use):
    """jupyter-cache says then that the cache may need to be cleared, which would cost hours."""
    monkeypatch.setattr(entry_list, "PATIENCE", 0.2)
    unsigned(entries(book)["one"])
    kept = ExecutionCache(book.cache_folder)
    with (
        held(book.cache_folder, 60, how),
        pytest.raises(BookError, match=r"locked.*end the program"),
    ):
        use(kept)
    assert entries(book).keys() == {"one", "two"}


def cut_list(book: Book, size: int = 5000) -> None:
    database = book.cache_folder / "global.db"
    database.write_bytes(database.read_bytes()[:size])


DAMAGED_LISTS = {
    "no list": lambda book: (book.cache_folder / "global.db").write_bytes(b"no database"),
    "empty": lambda book: cut_list(book, 0),
    "cut off": cut_list,
    "a source of no letters": lambda book: relist(book, "one", "uri = CAST(X'ff' AS TEXT)"),
    "a date that is none": lambda book: relist(book, "one", "accessed = '2026-13-01 00:00:00.000000'"),
    "data that end too early": lambda book: relist(book, "one", "data = '{'"),
}


@pytest.mark.parametrize("damage", DAMAGED_LISTS.values(), ids=DAMAGED_LISTS)
def test_a_damaged_list_is_set_aside_with_all_that_it_listed(book, damage):
    damage(book)
    kept = ExecutionCache(book.cache_folder)
    assert kept.drop_damaged() == ["*"]
    (place,) = aside(book)
    assert len(list(place.glob("executed/*/base.ipynb"))) == 2
    assert kept.keys() == set()


@pytest.mark.parametrize("damage", DAMAGED_LISTS.values(), ids=DAMAGED_LISTS)
def test_from_a_damaged_list_nothing_is_taken_and_it_is_named(book, damage, tmp_path):
    theirs = book_in(tmp_path / "theirs")
    filled(theirs, "one", "three")
    damage(theirs)
    with pytest.raises(exchange.CacheError, match=r"theirs.* is no execution cache"):
        exchange.merge(theirs.cache_folder, book)
    assert entries(book).keys() == {"one", "two"}


def without_notebook(entry: Path) -> None:
    (entry / NOTEBOOK).unlink()


def signed_with_no_text(entry: Path) -> None:
    (entry / CHECKSUM).write_bytes(b"\xff\xfe\x00")


def unsigned(entry: Path) -> None:
    (entry / CHECKSUM).unlink()


def cut_off(entry: Path) -> None:
    (entry / NOTEBOOK).write_text("{")


def gone(entry: Path) -> None:
    shutil.rmtree(entry)


DAMAGES = [without_notebook, signed_with_no_text, unsigned, cut_off, gone]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_set_aside_once_and_its_page_can_be_kept_again(book, damage):
    damage(entries(book)["one"])
    kept = ExecutionCache(book.cache_folder)
    assert [Path(uri).name for uri in kept.drop_damaged()] == ["one.md"]
    assert kept.drop_damaged() == []
    assert entries(book).keys() == {"two"}
    assert len(aside(book)) == (damage is not gone)
    shutil.rmtree(book.root / "artifacts")
    filled(book, "one")
    assert entries(book).keys() == {"one", "two"}
    assert all(cache.is_whole(entry) for entry in entries(book).values())


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_a_killed_build_left_unlisted_is_no_hindrance(book, damage):
    left = entries(book)["one"]
    damage(left)
    left.mkdir(exist_ok=True)
    (left / "left").touch()
    with closing(sqlite3.connect(book.cache_folder / "global.db")) as database, database:
        database.execute("DELETE FROM nbcache WHERE uri LIKE '%one.md'")
    shutil.rmtree(book.root / "artifacts")
    filled(book, "one")
    assert cache.is_whole(entries(book)["one"])
    (place,) = aside(book)
    assert (place / "left").exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_merge_mends_what_is_damaged_here_and_leaves_out_what_is_damaged_there(book, damage, tmp_path):
    theirs = book_in(tmp_path / "theirs")
    filled(theirs, "one", "three", "four")
    damage(entries(book)["one"])
    damage(entries(theirs)["four"])
    counts = exchange.merge(theirs.cache_folder, book)
    assert counts == {"added": 2, "there already": 0, "damaged": 1}
    assert entries(book).keys() == {"one", "two", "three"}
    assert all(cache.is_whole(entry) for entry in entries(book).values())


def test_an_entry_whose_record_is_none_is_left_out_though_it_is_signed(book, tmp_path):
    theirs = book_in(tmp_path / "theirs")
    filled(theirs, "three")
    entry = entries(theirs)["three"]
    (entry / "artifacts" / RECORD).write_text("[]")
    sign(entry)
    assert (entry / CHECKSUM).read_text() == checksum(entry)
    assert exchange.merge(theirs.cache_folder, book)["damaged"] == 1


WARNED = nbformat.v4.new_output("stream", name="stderr", text="beware")
FAILED = nbformat.v4.new_output("error", ename="ValueError", evalue="no")
LONG = nbformat.v4.new_output("stream", name="stdout", text="x" * (acceptance.LARGEST + 1))


@pytest.mark.parametrize("output", [WARNED, FAILED, LONG], ids=["a warning", "an error", "too long"])
def test_what_would_not_be_kept_here_is_not_taken_from_elsewhere(book, tmp_path, output):
    """It would fail every build, long after its cause is gone."""
    theirs = book_in(tmp_path / "theirs")
    filled(theirs, "three", output=output)
    assert exchange.merge(theirs.cache_folder, book) == {"added": 0, "there already": 0, "damaged": 1}


def test_a_merge_changes_nothing_in_its_source_and_pushes_no_entry_out(book, tmp_path):
    theirs = book_in(tmp_path / "theirs")
    filled(theirs, "three", "four")
    before = (theirs.cache_folder / "global.db").read_bytes()
    ExecutionCache(book.cache_folder)._cache.change_cache_limit(2)
    assert exchange.merge(theirs.cache_folder, book)["added"] == 2
    assert entries(book).keys() == {"one", "two", "three", "four"}
    assert (theirs.cache_folder / "global.db").read_bytes() == before


@pytest.mark.parametrize("code", sorted(set(cache.LOCKLESS)))
def test_a_drive_without_locks_holds_no_build_up(book, code):
    """Nor does the lock's file, which the first build leaves there for the second."""
    with drive_without_locks(code):
        for _ in range(2):
            with cache.locked(book.build):
                pass
    assert book.cache_folder.exists()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS])
def test_on_a_drive_without_locks_pages_are_kept_and_found(book, tmp_path, code):
    """Its database, too, and at once: SQLite takes a lock that is refused for one that another holds."""
    refusing = without_locks(book.build, tmp_path, code)
    script = f"""\
from pathlib import Path
from bookbuild.run.cache import ExecutionCache
from bookbuild.run import entry_list
entry_list.PATIENCE = 0.2
kept = ExecutionCache(Path({str(book.cache_folder)!r}))
assert kept.drop_damaged() == []
assert len(kept.keys()) == 2
assert kept.forget([]) == 2
assert kept.keys() == set()
"""
    paths = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "book" / "_ext", ROOT / "src")))}
    command = [sys.executable, "-c", script]
    told = subprocess.run(command, env=os.environ | paths | refusing, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
