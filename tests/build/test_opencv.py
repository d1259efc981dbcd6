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
from bookbuild.run import execute
from bookbuild.run.cache import ExecutionCache
from bookbuild.run.keys import Keys
from conftest import ROOT
from first_cell import first_cell
from rendered_book import RenderedBook
from small_book import FRONT_MATTER

pytestmark = pytest.mark.quick

MISSING = "libGL.so.1: cannot open shared object file: No such file or directory"
REMEDIES = ("apt-get install libgl1 libglib2.0-0", "pip install opencv-python-headless")


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


@pytest.mark.usefixtures("no_library")
def test_a_notebook_names_them_too_where_its_page_needs_opencv():
    def run(cell: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", cell], capture_output=True, text=True)

    told = run(first_cell(needs_opencv=True))
    assert told.returncode == 1
    assert all(words in told.stderr for words in (MISSING, *REMEDIES))
    assert run(first_cell(needs_opencv=False)).returncode == 0


def test_wherever_a_system_is_prepared_it_gets_both_libraries():
    libraries = (ROOT / "binder" / "apt.txt").read_text().split()
    assert f"apt-get install {' '.join(libraries)}" in REMEDIES
    for path in ("README.md", ".devcontainer/devcontainer.json"):
        text = Path(ROOT, path).read_text()
        assert {text.count(library) for library in libraries} == {text.count(libraries[0])} != {0}, path
