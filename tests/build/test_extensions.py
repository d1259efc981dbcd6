"""The local Sphinx extensions, in small books that the real `jupyter-book` command builds."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

CHAPTER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
---

# A chapter

```{code-cell}
from dlbook import results
from dlbook.data import Source
source = Source("mnist", "Some.", is_standin=False, sha256="ab", license="MIT")
accuracy = results.record("accuracy", [0.5, 0.7], ".1%", source)
```

The accuracy is {glue:text}`accuracy`.

```{code-cell}
LAST_CELL
```
"""


@pytest.fixture
def book(tmp_path) -> Path:
    """A book of one chapter and a Results page, with this book's own configuration."""
    (tmp_path / "book" / "cnn").mkdir(parents=True)
    for name in ("_ext", "_static"):
        shutil.copytree(ROOT / "book" / name, tmp_path / "book" / name)
    shutil.copy(ROOT / "book" / "references.bib", tmp_path / "book")
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: cnn/one\n")
    (tmp_path / "book" / "index.md").write_text("# Results\n\n:::{results-table}\n:::\n")
    write_chapter(tmp_path, "print(1 + 1)")
    return tmp_path


def write_chapter(book: Path, last_cell: str) -> None:
    (book / "book" / "cnn" / "one.md").write_text(CHAPTER.replace("LAST_CELL", last_cell))


def build(book: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "jupyter-book", "build", "book", "--config", "_config.yml"]
    command += ["--toc", book / "_toc.yml", "--path-output", ".", "--warningiserror", "--keep-going"]
    return subprocess.run(
        command, cwd=book, capture_output=True, text=True, check=False, timeout=300, env={**os.environ}
    )


def test_results_reach_json_prose_and_table_and_survive_the_cache(book):
    assert build(book).returncode == 0
    gathered = json.loads((book / "_build" / "results.json").read_text())
    assert list(gathered) == ["one"]
    assert gathered["one"]["accuracy"]["mean"] == pytest.approx(0.6)
    assert gathered["one"]["provenance"]["data"][0]["sha256"] == "ab"
    assert "60.0 ± 14.1%" in (book / "_build" / "html" / "index.html").read_text()
    assert "60.0 ± 14.1%" in (book / "_build" / "html" / "cnn" / "one.html").read_text()

    # From the execution cache alone, the same results must come back.
    for made in ("html", ".doctrees", "jupyter_execute", "results.json"):
        path = book / "_build" / made
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again = build(book)
    assert "Using cached notebook" in again.stdout
    assert json.loads((book / "_build" / "results.json").read_text()) == gathered


def test_a_failing_chapter_fails_every_build_and_is_named(book):
    write_chapter(book, "x = 1\nassert x == 2, 'no luck'")
    for _ in range(2):  # Sphinx alone calls the second build a success
        failed = build(book)
        assert failed.returncode != 0
        assert "cell 2 (line 22) of cnn/one failed: AssertionError: no luck" in failed.stderr
    assert json.loads((book / "_build" / "results.json").read_text()) == {}

    write_chapter(book, "x = 1\nassert x == 1")
    assert build(book).returncode == 0


def test_a_broken_floor_fails_the_build(book):
    write_chapter(book, "results.require(accuracy, at_least=0.9)")
    failed = build(book)
    assert failed.returncode != 0
    assert "accuracy: 60.0 ± 14.1% (n = 2); promised: at least 90.0%" in failed.stderr


def test_a_warning_in_an_output_fails_the_build(book):
    write_chapter(book, "import warnings\nwarnings.warn('beware')")
    failed = build(book)
    assert failed.returncode != 0
    assert "stderr was found in the cell outputs of cell" in failed.stderr


def test_a_broken_reference_fails_the_build(book):
    write_chapter(book, "print(1)\n```\n\n[nowhere](nowhere.md)\n\n```{code-cell}\nprint(2)")
    failed = build(book)
    assert failed.returncode != 0
    assert "nowhere" in failed.stderr


def test_progress_bars_leave_no_trace(book):
    write_chapter(
        book, "from dlbook import runtime\nfor _ in runtime.progress(range(3)):\n    pass\nprint('done')"
    )
    assert build(book).returncode == 0
    page = (book / "_build" / "html" / "cnn" / "one.html").read_text()
    assert "done" in page
    assert "it/s" not in page
    assert "jupyter.widget" not in page


def test_a_card_shows_a_figure_of_its_chapter_as_it_is_now(book):
    index = book / "book" / "index.md"
    index.write_text("# First page\n\n:::{chapter-figure} cnn/one\n:::\n")
    drawing = (
        "---\nmystnb:\n  image:\n    alt: A line, drawn.\n---\nimport matplotlib.pyplot as plt\nplt.plot(%s);"
    )
    shown = set()
    for values in ("[1, 2]", "[2, 1]"):
        write_chapter(book, drawing % values)
        assert build(book).returncode == 0
        html = book / "_build" / "html"
        (image,) = BeautifulSoup((html / "index.html").read_text(), "html.parser").select("article img")
        assert image["alt"] == "A line, drawn."
        assert image["src"] in (html / "cnn" / "one.html").read_text()
        shown.add((html / image["src"]).read_bytes())
    assert len(shown) == 2

    index.write_text("# First page\n\n:::{chapter-figure} cnn/one\n:number: 2\n:::\n")
    failed = build(book)
    assert failed.returncode != 0
    assert "cnn/one has no figure 2, only 1" in failed.stderr
