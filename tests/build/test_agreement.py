"""What a page's kernel really used is compared with what its outputs would be kept under."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from bookbuild.run import agreement
from bookbuild.run.keys import Keys
from conftest import ROOT
from rendered_book import MNIST, PROVENANCE, RenderedBook
from small_book import Book
from test_kernel import run_of


def said(folder: Path, code: str, **fingerprint: object) -> str | None:
    """Execute a page, and return what would keep its outputs out of the cache."""
    run = run_of(folder, code)
    run.page.fingerprint = {"data": {}} | fingerprint
    assert run.execute(1) is None
    return agreement.disagreement(run.page.fingerprint, run.used, run.record.provenance)


@pytest.mark.quick
def test_a_page_that_changes_nothing_agrees(tmp_path, monkeypatch):
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "data"))
    assert said(tmp_path, "1 + 1", device="cpu", data={"mnist": "stand-in"}) is None


@pytest.mark.quick
def test_another_package_than_the_keyed_one_is_seen(tmp_path):
    copy = shutil.copytree(ROOT / "src", tmp_path / "src")
    found = said(tmp_path, f"import sys\nsys.path.insert(0, {str(copy)!r})\nimport dlbook")
    assert f"it imported {copy}/dlbook/__init__.py" in found


@pytest.mark.quick
def test_another_interpreter_than_the_build_s_is_seen(tmp_path):
    found = said(tmp_path, "import sys\nsys.prefix = '/elsewhere'")
    assert f"it ran on the Python in /elsewhere, and the build runs on that in {sys.prefix}" in found


@pytest.mark.quick
def test_another_device_than_the_keyed_one_is_seen(tmp_path, monkeypatch):
    """As where a GPU falls out in the middle of a build: the numbers would be kept as a GPU's."""
    monkeypatch.setenv("DLBOOK_DEVICE", "cpu")
    assert "it was computed on cpu, and the build saw cuda" in said(tmp_path, "1 + 1", device="cuda")


@pytest.mark.quick
def test_a_folder_of_data_that_a_page_chooses_itself_is_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "data"))
    raw = tmp_path / "mine" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "t10k-images-idx3", "train-labels-idx1", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    code = f"import os\nos.environ['DLBOOK_DATA'] = {str(tmp_path / 'mine')!r}"
    assert "it saw mnist as: original. The build saw: stand-in" in said(
        tmp_path, code, data={"mnist": "stand-in"}
    )


@pytest.mark.quick
def test_data_that_no_cell_names_are_in_no_key(tmp_path):
    used = agreement.Used(sys.prefix, sys.modules["dlbook"].__file__, {})
    bundled = replace(MNIST, name="bundled photographs")
    for source, expected in ((MNIST, 'write out load("mnist")'), (bundled, None)):
        found = agreement.disagreement({"data": {}}, used, replace(PROVENANCE, data=(source,)))
        assert (expected in found) if expected else found is None


@pytest.mark.quick
@pytest.mark.parametrize(("seen", "is_standin"), [("original", True), ("stand-in", False)])
def test_a_stand_in_in_place_of_what_the_build_saw_is_named(seen, is_standin):
    """As where data vanish, or come, between the build's look at them and the page's."""
    used = agreement.Used(sys.prefix, sys.modules["dlbook"].__file__, {"mnist": seen})
    source = replace(MNIST, is_standin=is_standin)
    found = agreement.disagreement({"data": {"mnist": seen}}, used, replace(PROVENANCE, data=(source,)))
    assert f"The build saw: {seen}" in found


@pytest.mark.quick
def test_data_that_vanish_while_a_page_runs_change_its_key(tmp_path, monkeypatch):
    small = RenderedBook(tmp_path)
    small.write_chapter("one", "Prose.\n\n```{code-cell}\nfrom dlbook import data\ndata.load('mnist')\n```")
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "data"))
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "t10k-images-idx3", "train-labels-idx1", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    keys = Keys(small.book)
    keys.fingerprint("one")
    written = agreement.written(keys, "one")
    assert not agreement.has_changed(small.book, keys, "one", written)
    shutil.rmtree(raw)
    assert agreement.has_changed(small.book, keys, "one", written)


def test_what_another_package_computed_is_not_kept(tmp_path):
    book = Book(tmp_path / "book")
    other = shutil.copytree(book.folder / "src", tmp_path / "other")
    (other / "dlbook" / "scale.py").write_text("UNIT = 2\n")
    code = "from dlbook import initial\nprint('the unit is', initial.UNIT)"
    book.write("plain", f"import sys\nsys.path.insert(0, {str(other)!r})\n{code}")
    assert book.fail() == ["data", "plain"]
    assert "let no cell change sys.path" in book.errors
    book.write("plain", code)
    assert book.build() == ["plain"]
    assert "the unit is 1" in book.page("plain")
