"""What a published page must contain, and that no host of data stands between finished pages and the site."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from bookbuild.book import Book, BookError, Settings
from bookbuild.run import data_sets, execute
from bookbuild.run.cache import ExecutionCache
from conftest import ROOT
from rendered_book import RenderedBook

from dlbook.data.entries import Entry
from dlbook.data.registry import REGISTRY

pytestmark = [pytest.mark.quick, pytest.mark.slow]

LOADS = "from dlbook import data\ndata.load('mnist')\ndata.fetch_checkpoint('vgg16')"
NEEDS = "from dlbook import data, pages\ndata.load('mnist')\npages.load('one', 'table')"


@pytest.fixture
def written(tmp_path) -> RenderedBook:
    """A book of one page, which loads MNIST and VGG16's weights."""
    book = RenderedBook(tmp_path / "book")
    book.write_code("one", f"from dlbook import pages\n{LOADS}\npages.save('table', 1)")
    return book


@pytest.fixture
def present(monkeypatch) -> Callable[[Iterable[str]], None]:
    """Choose what is on this machine. No source answers."""
    monkeypatch.setattr(data_sets, "answers", lambda address: False)

    def choose(names: Iterable[str]) -> None:
        for kind in {type(entry) for entry in REGISTRY.values()}:
            monkeypatch.setattr(kind, "is_present", lambda entry: entry.name in names)
            monkeypatch.setattr(kind, "_identity", Entry._identity)

    return choose


def run(book: Book, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """Return what keeps a book from being rendered, and the pages that would be executed."""
    executed: list[str] = []
    monkeypatch.setattr(execute.Executor, "_execute", lambda self, wanted, workers: executed.extend(wanted))
    failures = execute.Executor(book, ExecutionCache(book.cache_folder)).run()
    return [str(failure) for failure in failures], executed


def without(book: Book, *names: str) -> Book:
    return replace(book, settings=Settings(published_without=frozenset(names)))


def test_outputs_of_the_original_data_need_no_data_and_no_host(written, present, monkeypatch):
    written.write_code("two", NEEDS)
    present(["mnist", "vgg16"])
    for name in ("one", "two"):
        written.compute(name, {})
    present([])
    monkeypatch.setattr(data_sets, "answers", lambda address: pytest.fail(f"{address} was asked"))
    monkeypatch.setenv("DLBOOK_STANDINS", "never")
    book = written.book
    assert run(book, monkeypatch) == ([], [])
    assert book.pages["one"].fingerprint["data"] == {"mnist": "original", "vgg16": "original"}
    assert all(page.outputs for page in book.notebooks.values())


def test_what_a_stand_in_gave_is_taken_only_where_nothing_better_can_be_had(written, present, monkeypatch):
    present([])
    written.compute("one", {})
    assert run(written.book, monkeypatch) == ([], [])
    present(["mnist", "vgg16"])
    assert run(written.book, monkeypatch) == ([], ["one"])


def test_a_page_whose_needed_page_is_executed_is_executed_behind_it_with_its_data(
    written, present, monkeypatch
):
    written.write_code("two", NEEDS)
    present(["mnist", "vgg16"])
    written.compute("two", {})
    written.write_code("one", f"from dlbook import pages\n{LOADS}\npages.save('table', 2)")
    present([])
    fetched: list[str] = []

    def fetch(command: list[str], check: bool) -> None:
        fetched.append(command[-1])
        present(fetched)

    monkeypatch.setattr(data_sets, "answers", lambda address: True)
    monkeypatch.setattr(data_sets.subprocess, "run", fetch)
    book = written.book
    assert run(book, monkeypatch) == ([], ["one", "two"])
    assert fetched == ["mnist", "vgg16"]
    assert book.pages["two"].fingerprint["data"] == {"mnist": "original"}


def test_a_page_that_was_not_asked_for_has_nothing_fetched_for_it(written, present, monkeypatch):
    written.write_code("two", "from dlbook import data\ndata.load('cifar10')")
    present([])
    fetched: list[str] = []
    monkeypatch.setattr(data_sets, "answers", lambda address: True)
    monkeypatch.setattr(data_sets.subprocess, "run", lambda command, check: fetched.append(command[-1]))
    monkeypatch.setenv("DLBOOK_CHAPTERS", "two")
    assert run(written.book, monkeypatch) == ([], ["two"])
    assert fetched == ["cifar10"]


def test_what_other_machines_were_to_execute_is_missed_and_neither_fetched_for_nor_executed(
    written, present, monkeypatch
):
    written.write_code("two", NEEDS)
    present(["mnist", "vgg16"])
    written.compute("one", {})
    present([])
    monkeypatch.setattr(data_sets, "answers", lambda address: pytest.fail(f"{address} was asked"))
    monkeypatch.setenv("DLBOOK_EXECUTE", "never")
    (failure,), executed = run(written.book, monkeypatch)
    assert failure.startswith("the run of two failed: its runner left no outputs of the original data")
    assert executed == []
    present(["mnist", "vgg16"])
    written.compute("two", {})
    present([])
    assert run(written.book, monkeypatch) == ([], [])


def test_what_a_stand_in_gave_elsewhere_is_missed_too(written, present, monkeypatch):
    present([])
    written.compute("one", {})
    monkeypatch.setenv("DLBOOK_EXECUTE", "never")
    (failure,), _ = run(written.book, monkeypatch)
    assert failure.startswith("the run of one failed")


@pytest.mark.parametrize("kept", [False, True])
def test_weights_that_cannot_be_had_stop_publishing_unless_that_was_decided(
    written, present, monkeypatch, kept
):
    present(["mnist"])
    if kept:  # by a build that was not to be published
        written.compute("one", {})
    monkeypatch.setenv("DLBOOK_STANDINS", "never")
    (failure,), executed = run(written.book, monkeypatch)
    assert failure.startswith("the data of one failed: vgg16 is not on this machine")
    assert executed == []
    decided = without(written.book, "vgg16")
    assert run(decided, monkeypatch) == ([], [] if kept else ["one"])


def test_a_misspelled_word_publishes_no_stand_in(written, present, monkeypatch):
    """Outputs on a stand-in are there, and executing nothing would tell nobody."""
    present([])
    written.compute("one", {})
    monkeypatch.setenv("DLBOOK_STANDINS", "nevr")
    with pytest.raises(BookError, match="DLBOOK_STANDINS is 'never' or not set; 'nevr' means nothing"):
        run(written.book, monkeypatch)


def test_the_decision_wants_the_weights_still_where_outputs_with_them_are_there(
    written, present, monkeypatch
):
    present(["mnist", "vgg16"])
    written.compute("one", {})
    present(["mnist"])
    book = without(written.book, "vgg16")
    assert run(book, monkeypatch) == ([], [])
    assert book.pages["one"].fingerprint["data"]["vgg16"] == "original"


def test_the_book_s_own_decision_is_written_down_and_a_misspelled_one_is_refused(tmp_path):
    assert Book.at(ROOT).settings.published_without == frozenset()
    config = (ROOT / "_config.yml").read_text()
    setting = "bookbuild_published_without: "
    assert f"{setting}[]" in config
    (tmp_path / "_config.yml").write_text(config.replace(f"{setting}[]", f"{setting}[vgg61]"))
    with pytest.raises(BookError, match="lists vgg61: the book knows mnist"):
        Book.at(Path(tmp_path))
