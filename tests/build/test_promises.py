"""Promises of a result that a page may have to leave out, and of a page that is executed alone."""

import pytest
from bookbuild.__main__ import main
from bookbuild.book import BookError
from bookbuild.promises import PromiseError, broken, promises_of
from bookbuild.render.results import _promise_row
from bookbuild.run.cache import ExecutionCache
from bookbuild.run.execute import execute
from conftest import ROOT
from rendered_book import RenderedBook

from dlbook.record import Provenance, Record, Result

pytestmark = pytest.mark.quick

OPTIONAL = {"large": {"at_least": 0.88, "form": ".0%", "optional": True}}


def record(**values: float) -> Record:
    """Return what a page leaves behind that reported these values."""
    provenance = Provenance("cpu", "a CPU", "highest", "2", "3", "abc", "2026-01-01T00:00:00", 0, ())
    return Record({name: Result((value,)) for name, value in values.items()}, provenance, {})


@pytest.mark.parametrize(
    ("left_behind", "objections"),
    [(record(), 0), (record(large=0.9), 0), (record(large=0.8), 1)],
    ids=["absent", "kept", "broken"],
)
def test_an_optional_result_may_be_absent_but_not_too_low(left_behind, objections):
    assert len(list(broken(promises_of("page", OPTIONAL), left_behind))) == objections


def test_any_other_result_must_be_there():
    assert list(broken(promises_of("page", {"large": {"at_least": 0.88}}), record()))


def test_the_bound_of_an_absent_result_must_be_there():
    """The table shows it."""
    promises = promises_of("page", {"large": {"at_least": "small", "optional": True}})
    assert list(broken(promises, record()))
    assert not list(broken(promises, record(small=0.5)))


def test_the_table_shows_a_dash_for_an_absent_result():
    (promise,) = promises_of("page", OPTIONAL).values()
    assert _promise_row(promise, record(), {"large": ".0%"})[:3] == ("large", "–", "≥ 88%")
    assert _promise_row(promise, record(large=0.9), {"large": ".0%"})[:3] == ("large", "90%", "≥ 88%")


@pytest.mark.parametrize("bounds", [{"optional": True}, {"at_least": 1, "optional": "yes"}, {"at_lest": 1}])
def test_a_misspelled_promise_is_none(bounds):
    with pytest.raises(PromiseError, match="large"):
        promises_of("page", {"large": bounds})


def test_a_page_that_is_executed_alone_answers_for_its_own_promises(tmp_path, monkeypatch):
    """On a runner of its own, as no site is made there; a build that shows both stops."""
    book = RenderedBook(tmp_path)
    (tmp_path / "_config.yml").symlink_to(ROOT / "_config.yml")
    for name, promises in (("one", "  accuracy: {at_least: 0.9}\n"), ("two", "")):
        book.write_chapter(name, "Prose.", promises)
        book.compute(name, {"accuracy": Result((0.5,))})
    for chapters, code in (("two", 0), ("one", 1), ("", 1)):
        monkeypatch.setenv("DLBOOK_CHAPTERS", chapters)
        assert main(["--root", str(tmp_path), "execute"]) == code
    monkeypatch.setenv("DLBOOK_CHAPTERS", "two")
    with pytest.raises(BookError, match=r"a promise of one failed: accuracy is 0\.5"):
        execute(book.book, ExecutionCache(book.book.cache_folder))
