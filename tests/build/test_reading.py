"""What Sphinx has read, where a build was killed: the next one writes every page that the state knows of."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image

pytestmark = pytest.mark.quick  # a book of two plain pages, by Sphinx alone

CONFIGURATION = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
from bookbuild import reading

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def setup(app):
    app.connect("config-inited", reading.forget_unfinished)
    app.connect("env-before-read-docs", reading.begin)
    app.connect("build-finished", reading.finish, priority=900)
    if "DIE_AT" in os.environ:
        app.connect(os.environ["DIE_AT"], die)
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "conf.py").write_text(CONFIGURATION)
    (tmp_path / "index.rst").write_text("Index\n=====\n\n.. toctree::\n\n   page\n\n.. image:: dot.png\n")
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    write(tmp_path, "First words.")
    return tmp_path


def write(folder: Path, words: str) -> None:
    (folder / "page.rst").write_text(f"Page\n====\n\n{words}\n")


def build(folder: Path, builder: str = "html", **variables: str) -> int:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", builder, "-d", folder / "doctrees"]
    told = subprocess.run([*command, folder, folder / builder], env=variables, capture_output=True)
    return told.returncode


def page(folder: Path) -> str:
    return (folder / "html" / "page.html").read_text()


@pytest.mark.parametrize("moment", ["env-check-consistency", "html-page-context"])
def test_a_build_that_is_killed_leaves_no_old_page(folder, moment):
    """The first moment lies between the reading state and the pages, the second one among the pages."""
    assert build(folder) == 0
    write(folder, "Other words.")
    assert build(folder, DIE_AT=moment) < 0
    assert "First words." in page(folder)
    (folder / "html" / "searchindex.js").write_text("Search.set")
    (folder / "html" / ".buildinfo").write_text("")
    assert build(folder) == 0
    assert "Other words." in page(folder)
    assert "docnames" in (folder / "html" / "searchindex.js").read_text()


STATE = ["html/.buildinfo", "doctrees/environment.pickle", "doctrees/index.doctree", "doctrees/page.doctree"]


@pytest.mark.parametrize("share", [0, 0.5])
@pytest.mark.parametrize("part", STATE)
def test_a_state_that_was_damaged_since_is_made_anew(folder, part, share):
    """The first page, which is only written and not read, shows the other one's title."""
    assert build(folder) == 0
    whole = (folder / part).read_bytes()
    (folder / part).write_bytes(whole[: int(share * len(whole))])
    (folder / "page.rst").write_text("Another title\n=============\n")
    assert build(folder) == 0
    assert "Another title" in page(folder)
    assert "Another title" in (folder / "html" / "index.html").read_text()
    before = (folder / "html" / "page.html").stat().st_mtime_ns
    assert build(folder) == 0
    assert (folder / "html" / "page.html").stat().st_mtime_ns == before


@pytest.mark.parametrize("content", [b"", b"<html>", None])
@pytest.mark.parametrize("part", ["page.html", "genindex.html", "searchindex.js", "_images/dot.png"])
def test_what_was_damaged_after_it_was_written_is_written_again(folder, part, content):
    assert build(folder) == 0
    file = folder / "html" / part
    whole = file.read_bytes()
    file.unlink() if content is None else file.write_bytes(content)
    assert build(folder) == 0
    assert file.read_bytes() == whole


def test_what_another_format_has_read_is_read_again(folder):
    assert build(folder) == 0
    write(folder, "Other words.")
    assert build(folder, builder="text") == 0
    assert build(folder) == 0
    assert "Other words." in page(folder)


def test_a_drawing_that_a_killed_build_left_half_is_not_used_again(folder):
    """It lies under its content's checksum, and is never written a second time."""
    drawing = folder / "jupyter_execute" / "0123.png"
    drawing.parent.mkdir()
    drawing.write_bytes(b"half")
    assert build(folder, DIE_AT="html-page-context") < 0
    assert build(folder) == 0
    assert not drawing.exists()
    drawing.parent.mkdir()
    drawing.write_bytes(b"whole")
    write(folder, "Other words.")
    assert build(folder) == 0
    assert drawing.exists()


def test_what_is_finished_is_kept(folder):
    assert build(folder) == 0
    before = (folder / "html" / "page.html").stat().st_mtime_ns
    assert build(folder) == 0
    assert (folder / "html" / "page.html").stat().st_mtime_ns == before
