"""The build as a contributor meets it: the real `jupyter-book` command, real kernels, and what it says."""

import json

import pytest
from small_book import Book

LINE = "import torch\nfrom dlbook import initial\n"


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(tmp_path)


def test_a_failing_page_fails_every_build_is_named_and_the_last_site_stays(book):
    assert book.build() == ["data", "plain"]
    book.write("plain", "x = 1\nassert x == 2, 'no luck'", prose="New prose.")
    book.write("data", "print('zebra')")
    for executed in (["data"], []):
        assert book.fail() == executed
        assert "cell 1 (line 16) of cnn/plain failed: AssertionError: no luck" in book.errors
        assert "New prose." not in book.page("plain")
        assert "zebra" not in book.page("data")
    book.write("plain", "x = 1\nassert x == 1", prose="New prose.")
    assert book.build() == ["plain"]
    assert "New prose." in book.page("plain")
    assert "zebra" in book.page("data")


def test_a_number_reaches_the_page_and_comes_back_from_the_cache(book):
    report = "results.report(data.load('mnist'), seeds=[3, 5], accuracy=[0.5, 0.7])"
    book.write("plain", f"from dlbook import data, results\n{report}", prose="It is {result}`accuracy:.1%`.")
    book.build()
    gathered = json.loads((book.folder / "_build" / "results.json").read_text())
    record = gathered["cnn/plain"]
    assert record["results"]["accuracy"]["seeds"] == [3, 5]
    assert record["results"]["accuracy"]["data"] == "mnist"
    assert [source["name"] for source in record["provenance"]["data"]] == ["mnist"]
    assert record["provenance"]["seconds"] > 0
    assert "60.0 ± 14.1%" in book.page("plain")
    (book.folder / "_build" / "html" / "cnn" / "plain.html").unlink()
    (book.folder / "_build" / "results.json").unlink()
    for made in (book.folder / "_build" / ".doctrees").rglob("*"):
        if made.is_file():
            made.unlink()
    assert book.build() == []
    assert "60.0 ± 14.1%" in book.page("plain")
    assert json.loads((book.folder / "_build" / "results.json").read_text()) == gathered


def test_what_is_written_to_stderr_fails_the_page_until_its_cause_is_gone(book, tmp_path):
    """Nothing that fails the build is kept: else it would fail for good."""
    cause = tmp_path / "cause"
    cause.touch()
    warn = f"if pathlib.Path({str(cause)!r}).exists():\n    print('beware', file=sys.stderr)"
    book.write("plain", f"import pathlib, sys\n{warn}")
    assert book.fail() == ["data", "plain"]
    assert "beware" in book.errors
    cause.unlink()
    assert book.build() == ["plain"]


@pytest.mark.parametrize("edit", ["OTHER = 2\n", "half a (line"])
def test_what_runs_is_what_was_keyed(book, edit):
    """Code that changes while a page runs would else keep its numbers under the earlier code's key."""
    scale = book.folder / "src" / "dlbook" / "scale.py"
    before = scale.read_text()
    book.write("plain", f"{LINE}open({str(scale)!r}, 'a').write({edit!r})")
    assert book.fail() == ["data", "plain"]
    assert "changed while it ran" in book.errors
    scale.write_text(before)
    book.write("plain", f"{LINE}print('calm')")
    assert book.build() == ["plain"]


def test_what_is_edited_and_undone_while_a_page_runs_is_not_kept(book):
    """As when another branch is looked at: the page may have run either."""
    scale = book.folder / "src" / "dlbook" / "scale.py"
    there_and_back = f"import pathlib\nscale = pathlib.Path({str(scale)!r})\ncode = scale.read_text()\n"
    there_and_back += "scale.write_text(code + 'OTHER = 2\\n')\nscale.write_text(code)"
    book.write("plain", LINE + there_and_back)
    assert book.fail(DLBOOK_CHAPTERS="cnn/plain") == ["plain"]
    assert "changed while it ran" in book.errors


def test_prose_that_is_edited_meanwhile_costs_no_run(book):
    """Of the page that runs, and of one that does not: both would else show their earlier text."""
    book.write("data", "print('calm')")
    assert book.build() == ["data", "plain"]
    edited = [book.folder / "book" / "cnn" / f"{name}.md" for name in ("data", "plain")]
    edit = f"for page in {[str(page) for page in edited]}:\n    open(page, 'a').write('\\nNew words.\\n')"
    book.write("plain", f"{LINE}{edit}")
    assert book.fail() == ["plain"]
    assert "the text of cnn/data failed: it changed while pages were executed" in book.errors
    assert "the text of cnn/plain failed" in book.errors
    assert book.build() == []
    assert "New words." in book.page("data")
    assert "New words." in book.page("plain")


def test_a_page_that_needs_a_failed_page_s_file_is_not_executed(book):
    book.write("plain", "from dlbook import pages\nassert False\npages.save('table', [1])")
    book.write("data", "from dlbook import pages\nprint(pages.load('cnn/plain', 'table'))")
    assert book.fail() == []
    assert "it loads files of cnn/plain, which were not executed" in book.errors
    assert book.fail(DLBOOK_CHAPTERS="cnn/data") == []  # where that page was not even asked for
    assert "it loads files of cnn/plain, which were not executed" in book.errors


def test_a_broken_reference_fails_the_build(book):
    book.write("plain", f"{LINE}print(1)", prose="[nowhere](nowhere.md)")
    assert book.fail() == ["data", "plain"]
    assert "nowhere" in book.errors


def test_progress_bars_leave_no_trace(book):
    book.write(
        "plain", "from dlbook import progress\nfor _ in progress.bar(range(3)):\n    pass\nprint('done')"
    )
    book.build()
    assert "done" in book.page("plain")
    assert "it/s" not in book.page("plain")
    assert "jupyter.widget" not in book.page("plain")
