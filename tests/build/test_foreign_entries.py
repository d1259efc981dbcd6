"""Entries of another machine's cache that no build has written: left out, and no hindrance to the others."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from bookbuild.run import cache
from bookbuild.run.cache import FILES, NOTEBOOK, RECORD, sign
from bookbuild.run.exchange import merge
from rendered_book import SUM, RenderedBook
from test_foreign import books
from test_foreign_drawings import in_a_drawing

pytestmark = pytest.mark.quick


def test_a_merge_that_is_cut_off_at_a_signature_has_said_whose_outputs_these_are(tmp_path, monkeypatch):
    def die(entry: Path) -> None:
        sign(entry)
        raise KeyboardInterrupt

    theirs, ours = books(tmp_path, SUM)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "sign", die)
        with pytest.raises(KeyboardInterrupt):
            merge(theirs.book.cache_folder, ours.book)
    assert ours.build() == ""
    assert "another machine" in ours.page("one")


def spoil(entry: Path, change) -> None:
    """Change a page's record, and sign the entry as a forger would."""
    path = entry / "artifacts" / RECORD
    record = json.loads(path.read_text())
    change(record, entry / "artifacts" / FILES)
    path.write_text(json.dumps(record))
    sign(entry)


def save_a_page(record, files) -> None:
    record["files"]["table"]["file"] = "table.html"
    (files / "table.json").rename(files / "table.html")


def save_outside(record, files) -> None:
    record["files"]["table"]["sha256"] = "../../../outside"


def say_nonsense(record, files) -> None:
    record["provenance"]["executed"] = 7


def report_nonsense(record, files) -> None:
    record["results"]["accuracy"] = {"values": [[1]], "seeds": [], "data": None}


@pytest.mark.parametrize("change", [save_a_page, save_outside, say_nonsense, report_nonsense])
def test_a_record_that_no_page_writes_is_left_out(tmp_path, change):
    theirs, ours = books(tmp_path, {})
    theirs.compute("one", {}, files={"table.json": b"[1, 2]"})
    (entry,) = (theirs.book.cache_folder / "executed").iterdir()
    assert merge(theirs.book.cache_folder, RenderedBook(tmp_path / "first").book)["added"] == 1
    spoil(entry, change)
    assert merge(theirs.book.cache_folder, ours.book)["damaged"] == 1


def rewrite(entry: Path, text: str) -> None:
    """Give an entry another notebook, and sign it as a forger would."""
    (entry / NOTEBOOK).write_text(text)
    sign(entry)


def show(entry: Path, shown: dict[str, str] | None = None, minor: int = 5) -> None:
    """Let an entry's one cell have put out this, too, in a notebook of that version."""
    notebook = json.loads((entry / NOTEBOOK).read_text())
    (cell,) = notebook["cells"]
    cell["outputs"][0]["data"] |= shown or {}
    rewrite(entry, json.dumps(notebook | {"nbformat_minor": minor}))


def relist(entry: Path, column: str, said: str | None) -> None:
    """Change what the list has of an entry, as a list of a forger's own may."""
    with closing(sqlite3.connect(entry.parents[1] / "global.db")) as database, database:
        for step in ("CREATE TABLE free AS SELECT * FROM nbcache", "DROP TABLE nbcache"):
            database.execute(step)
        database.execute("ALTER TABLE free RENAME TO nbcache")
        database.execute(f"UPDATE nbcache SET {column} = ? WHERE hashkey = ?", (said, entry.name))


BOXES = in_a_drawing("<g>" * 2000 + "</g>" * 2000)
ODD = {
    "a version that is not there yet": lambda entry: show(entry, minor=6),
    "HTML that no parser reads": lambda entry: show(entry, {"text/html": "<![x>"}),
    "a drawing of boxes in boxes": lambda entry: show(entry, {"image/svg+xml": BOXES}),
    "half a letter": lambda entry: show(entry, {"text/plain": "\ud800"}),
    "lists in lists": lambda entry: rewrite(entry, "[" * 100_000),
    "no source": lambda entry: relist(entry, "uri", None),
    "data of another form": lambda entry: relist(entry, "data", "[1]"),
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_an_entry_that_no_build_writes_keeps_no_other_from_being_taken(tmp_path, change, caplog):
    theirs, ours = books(tmp_path, SUM)
    (odd,) = (theirs.book.cache_folder / "executed").iterdir()
    theirs.write_code("two", "2 + 2")
    theirs.compute("two", {})
    change(odd)
    with caplog.at_level("INFO"):
        assert merge(theirs.book.cache_folder, ours.book) == {"added": 1, "there already": 0, "damaged": 1}
    assert "what another machine put out is left out: " in caplog.text
