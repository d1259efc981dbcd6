"""Which pages runners would execute that take a page each, and in which of two waves."""

import json
from collections.abc import Callable

import pytest
from bookbuild.__main__ import main
from bookbuild.book import Book, BookError
from bookbuild.run.cache import ExecutionCache
from bookbuild.run.exchange import merge
from bookbuild.run.keys import Keys
from bookbuild.run.plan import waves
from conftest import ROOT
from rendered_book import RenderedBook

from dlbook.record import Result

pytestmark = pytest.mark.quick

SAVES = "from dlbook import data, pages\ndata.load('mnist')\npages.save('table', 1)"
LOADS = "from dlbook import data, pages\ndata.load('mnist')\ndata.load('cifar10')\npages.load('one', 'table')"


@pytest.fixture
def written(tmp_path, monkeypatch) -> RenderedBook:
    """A book of three pages, the second of which loads a file of the first, on a machine without data."""
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "none"))
    book = RenderedBook(tmp_path / "book")
    for name, code in (("one", SAVES), ("two", LOADS), ("three", "1 + 1")):
        book.write_code(name, code)
    return book


def planned(book: Book) -> dict[str, dict[str, str]]:
    found = waves(book, ExecutionCache(book.cache_folder))
    return {wave: {row["page"]: row["data"] for row in rows} for wave, rows in found.items()}


@pytest.fixture
def compute(written, monkeypatch) -> Callable[[str], None]:
    """Put a page's outputs into the cache, as a machine that has the data computes them."""

    def from_the_originals(name: str) -> None:
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr("dlbook.data.entries.Entry.state", lambda entry: "original")
            written.compute(name, {})

    return from_the_originals


def test_a_page_waits_for_those_whose_files_it_loads_and_has_its_own_data_alone(written):
    assert planned(written.book) == {
        "first": {"one": "mnist", "three": ""},
        "second": {"two": "cifar10+mnist"},
    }


def test_another_machines_outputs_that_break_a_promise_are_executed_here(tmp_path):
    theirs, ours = (RenderedBook(tmp_path / name) for name in ("theirs", "ours"))
    for book in (theirs, ours):
        book.write_chapter("one", "Prose.", "  accuracy: {at_least: 0.9}\n")
        book.write_chapter("two", "Prose.", "  accuracy: {at_least: 0.4}\n")
    for name in ("one", "two"):
        theirs.compute(name, {"accuracy": Result((0.5,))})
    assert planned(theirs.book)["first"] == {}  # one's own numbers are no reason to try again
    merge(theirs.book.cache_folder, ours.book)
    assert planned(ours.book)["first"] == {"one": ""}


def test_what_the_cache_has_is_not_executed_and_not_waited_for(written, compute):
    for name in ("one", "three"):
        compute(name)
    assert planned(written.book) == {"first": {"two": "cifar10+mnist"}, "second": {}}
    compute("two")
    assert planned(written.book) == {"first": {}, "second": {}}
    written.write_code("one", SAVES.replace("1)", "2)"))
    assert planned(written.book) == {"first": {"one": "mnist"}, "second": {"two": "cifar10+mnist"}}


def test_what_a_stand_in_gave_is_executed(written):
    written.compute("one", {})
    assert planned(written.book)["first"] == {"one": "mnist", "three": ""}


def test_a_third_wave_is_refused_with_a_remedy(written):
    written.write_code("two", f"{LOADS}\npages.save('table', 2)")
    written.write_code("three", "from dlbook import pages\npages.load('two', 'table')")
    with pytest.raises(BookError, match=r"three loads files of two, .* of one: .* Let three load from one"):
        planned(written.book)


def test_later_jobs_of_a_run_are_handed_what_is_printed(tmp_path, monkeypatch, capsys):
    for name in ("_config.yml", "_toc.yml", "book"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    assert main(["--root", str(tmp_path), "plan"]) == 0
    printed = json.loads(capsys.readouterr().out)
    handed = dict(line.split("=", 1) for line in (tmp_path / "outputs").read_text().splitlines())
    assert {wave: json.loads(rows) for wave, rows in handed.items()} == printed
    # Two waves are enough for this book: each page is in one, and behind what it needs.
    keys = Keys(Book.at(ROOT))
    first, second = ({row["page"] for row in printed[wave]} for wave in ("first", "second"))
    assert sorted([*first, *second]) == sorted(keys.order())
    assert all(keys.needs(name) <= (first if name in second else set()) for name in (*first, *second))
