"""Where the system lacks what OpenCV loads, the error names both remedies; any of its packages will do."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bookbuild import opencv
from bookbuild.book import BookError
from bookbuild.render.notebooks import to_notebook
from bookbuild.render.surroundings import Surroundings
from bookbuild.run import execute
from bookbuild.run.cache import ExecutionCache
from bookbuild.run.keys import Keys
from conftest import ROOT
from rendered_book import RenderedBook
from small_book import FRONT_MATTER

pytestmark = pytest.mark.quick

MISSING = "libGL.so.1: cannot open shared object file: No such file or directory"
REMEDIES = ("apt-get install libgl1 libglib2.0-0", "pip install opencv-python-headless")
CHAPTER = f"{FRONT_MATTER}\n# A chapter\n\n```{{code-cell}}\nprint(1)\n```\n"


@pytest.fixture
def no_library(tmp_path, monkeypatch) -> None:
    """Programs that are started find an OpenCV that fails as in a system without the library."""
    (tmp_path / "path" / "cv2").mkdir(parents=True)
    (tmp_path / "path" / "cv2" / "__init__.py").write_text(f"raise ImportError({MISSING!r})")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "path"), str(ROOT / "src")]))


def test_all_is_well_where_it_loads():
    assert opencv.problem() == ""


def test_whichever_opencv_is_installed_its_version_is_what_the_key_has(tmp_path, monkeypatch):
    """After the second remedy, a page that imports OpenCV is built as before."""
    book = RenderedBook(tmp_path / "book")
    book.write_code("edges", "import cv2")
    (tmp_path / "book" / "requirements.txt").write_text("opencv-python==5.0\n")
    installed = {"opencv-python": "5.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    def key() -> str:
        return Keys(book.book).key("edges")

    monkeypatch.setattr(importlib.metadata, "version", version)
    usual = key()
    for name in ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"):
        installed.clear()
        installed[name] = "5.0"
        assert key() == usual
        installed[name] = "4.0"
        assert key() != usual
    installed.clear()
    with pytest.raises(BookError, match=r"opencv-python is not installed here: run `make "):
        key()


@pytest.mark.usefixtures("no_library")
def test_the_build_names_the_library_and_both_remedies_and_starts_no_page_that_needs_it(
    tmp_path, monkeypatch
):
    book = RenderedBook(tmp_path / "book")
    for name, code in (("edges", "import cv2"), ("digits", "import torch")):
        book.write(name, f"{FRONT_MATTER}\n# {name}\n\n```{{code-cell}}\n{code}\n```\n")
    executed: list[str] = []
    monkeypatch.setattr(execute.Executor, "_execute", lambda self, wanted, workers: executed.extend(wanted))
    (failure,) = execute.Executor(book.book, ExecutionCache(book.book.cache_folder)).run()
    assert str(failure).startswith("the import of cv2 of edges failed: OpenCV cannot be loaded")
    assert all(words in str(failure) for words in (MISSING, *REMEDIES))
    assert str(failure).count(f"`{sys.executable} -m pip ") == 2  # the one on the PATH may be the system's
    assert executed == ["digits"]
    monkeypatch.setenv("DLBOOK_CHAPTERS", "digits")  # asked for alone, it is stopped by no other page
    assert execute.Executor(book.book, ExecutionCache(book.book.cache_folder)).run() == []


def first_cell(needs_opencv: bool) -> str:
    around = Surroundings("cnn/one", site="", number=str, provenance=str, myst=(), references={})
    notebook = to_notebook(CHAPTER, around, "https://github.com/a/b", "c0ffee", opencv=needs_opencv)
    return notebook.cells[0].source


@pytest.mark.usefixtures("no_library")
def test_a_notebook_names_them_too_where_its_page_needs_opencv():
    def run(cell: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", cell], capture_output=True, text=True)

    told = run(first_cell(needs_opencv=True))
    assert told.returncode == 1
    assert all(words in told.stderr for words in (MISSING, *REMEDIES))
    assert run(first_cell(needs_opencv=False)).returncode == 0


@pytest.fixture
def pip(monkeypatch) -> list[list[str]]:
    """What a notebook asks pip for, where the book's package is not there."""
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append([str(part) for part in command[3:]])
        return subprocess.CompletedProcess(command, int("refused>=1" in command), "", "No such version")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def surroundings(monkeypatch: pytest.MonkeyPatch, modules: set[str], requires: list[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in modules else None)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requires)


@pytest.mark.parametrize(
    ("modules", "needed"), [(set(), ["numpy>=1", "opencv-python>=4"]), ({"cv2"}, ["numpy>=1"])]
)
def test_whichever_opencv_is_there_is_taken(pip, monkeypatch, modules, needed):
    surroundings(monkeypatch, modules, ["numpy>=1", "opencv-python>=4", 'sphinx>=7; extra == "book"'])
    exec(first_cell(needs_opencv=False), {})
    package, others = pip
    assert package[-2:] == ["--no-deps", "dlbook @ git+https://github.com/a/b@c0ffee"]
    assert others[:3] == ["install", "--quiet", "--constraint"]
    assert others[4:] == needed


def test_a_package_that_lacks_what_it_needs_does_not_stay(pip, monkeypatch):
    surroundings(monkeypatch, set(), ["refused>=1"])
    with pytest.raises(RuntimeError, match="No such version"):
        exec(first_cell(needs_opencv=False), {})
    assert pip[-1] == ["uninstall", "--quiet", "--yes", "dlbook"]


def test_wherever_a_system_is_prepared_it_gets_both_libraries():
    libraries = (ROOT / "binder" / "apt.txt").read_text().split()
    assert f"apt-get install {' '.join(libraries)}" in REMEDIES
    for path in ("README.md", ".devcontainer/devcontainer.json"):
        text = Path(ROOT, path).read_text()
        assert all(library in text for library in libraries), path
