"""A page shows the same, whatever its builder has set for other work."""

import json
import os
import subprocess
import sys

import pytest
from bookbuild.run import isolation
from bookbuild.run.keys import Keys
from conftest import ROOT
from rendered_book import RenderedBook
from small_book import Book

IMPORTS = "import torch\nfrom dlbook import initial\n"
FIGURE = (
    IMPORTS
    + """import sys
import matplotlib.pyplot as plt
plt.plot([1, 2])
print("drawn on", plt.rcParams["figure.facecolor"], "by", sys.executable)
"""
)


@pytest.fixture
def book(tmp_path) -> Book:
    book = Book(tmp_path / "book")
    book.write("plain", FIGURE)
    return book


def page_of(book: Book) -> str:
    return (book.folder / "_build" / "html" / "cnn" / "plain.html").read_text()


def install_kernel(folder) -> None:
    """Install a kernel that would compute instead of the build's own interpreter."""
    kernel = folder / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = ["/bin/false", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "Other", "language": "python"})
    )


def test_settings_of_the_user_change_no_page(book, tmp_path):
    style = tmp_path / "matplotlibrc"
    style.write_text("figure.facecolor: black\n")
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "first.py").write_text("raise SystemExit('a start-up file ran')")
    install_kernel(tmp_path / "jupyter")
    (book.folder / "book" / "cnn" / "matplotlib.py").write_text("raise ImportError('beside the page')")
    (book.folder / "book" / "cnn" / "matplotlibrc").write_text("figure.facecolor: black\n")
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("notebooks", "imports", "keys", "cache", "launch", "execute"):
        (mine / f"{name}.py").write_text("raise ImportError('of the user')")
    assert book.build(
        PYTHONPATH=os.pathsep.join(map(str, (mine, book.folder / "src", book.folder / "book" / "_ext"))),
        PYTHONSAFEPATH="1",
        MPLBACKEND="Agg",
        MATPLOTLIBRC=str(style),
        IPYTHONDIR=str(tmp_path / "ipython"),
        JUPYTER_PATH=str(tmp_path / "jupyter"),
        JUPYTER_PREFER_ENV_PATH="0",
    ) == ["data", "plain"]
    page = page_of(book)
    assert f"drawn on #fefefe by {sys.executable}" in page
    assert "<img" in page


def test_figures_look_as_the_book_says(book):
    """In its letters and colors; a change of these is drawn."""
    assert book.build() == ["data", "plain"]
    (drawing,) = (book.folder / "_build" / "html" / "_images").glob("*.svg")
    assert "SourceSerifPro" in drawing.read_text()
    assert "var(--stroke222222)" in drawing.read_text()
    style = book.folder / "book" / "_ext" / "bookbuild" / "run" / "matplotlibrc"
    style.write_text(f"{style.read_text()}axes.edgecolor: 333333\n")
    assert book.build() == ["data", "plain"]
    (drawing,) = (book.folder / "_build" / "html" / "_images").glob("*.svg")
    assert "var(--stroke333333)" in drawing.read_text()


def test_a_relative_data_folder_is_the_same_for_build_and_kernel(book):
    """A kernel runs elsewhere; it would take a stand-in where the build saw data."""
    raw = book.folder / "mine" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "t10k-images-idx3", "train-labels-idx1", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    assert book.fail(DLBOOK_DATA="mine") == ["plain"]
    assert "is damaged" in book.errors


def test_a_stand_in_that_the_build_did_not_see_is_not_kept(book):
    """As where the data vanish behind the build's look at them."""
    note = "source.note(source.Source('mnist', 'The real ones.', False, '', ''))"
    book.write("data", f"from dlbook import data\nfrom dlbook.data import source\ndata.load('mnist')\n{note}")
    assert book.fail() == ["data", "plain"]
    assert "The build saw: " in book.errors
    book.write("data", "print('mended')")
    assert book.build() == ["data"]


@pytest.mark.quick
def test_how_a_kernel_is_started_is_a_part_of_every_key(tmp_path, monkeypatch):
    book = RenderedBook(tmp_path / "book")
    book.write_code("one", "1 + 1")
    key = Keys(book.book).key("one")
    assert Keys(book.book).key("one") == key
    monkeypatch.setattr("bookbuild.run.keys.ARGUMENTS", [*isolation.ARGUMENTS, "--a=b"])
    assert Keys(book.book).key("one") != key


@pytest.mark.quick
def test_a_kernel_gets_what_says_where_things_lie_and_no_other_settings(tmp_path, monkeypatch):
    foreign = {
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "KMP_AFFINITY": "verbose",
        "LANG": "de_DE.UTF-8",
        "LC_NUMERIC": "de_DE.UTF-8",
        "MKL_CBWR": "COMPATIBLE",
        "MPLBACKEND": "Agg",
        "NPY_PROMOTION_STATE": "legacy",
        "NVIDIA_TF32_OVERRIDE": "0",
        "OMP_DISPLAY_ENV": "true",
        "OMP_NUM_THREADS": "2",
        "ONEDNN_VERBOSE": "1",
        "OPENBLAS_CORETYPE": "Prescott",
        "OPENCV_LOG_LEVEL": "VERBOSE",
        "PYTHONSTARTUP": "mine.py",
        "PYTORCH_ENABLE_MPS_FALLBACK": "1",
        "TORCH_LOGS": "all",
        "TQDM_DISABLE": "0",
    }
    own = {"TORCH_HOME": "weights", "DLBOOK_DATA": "data", "https_proxy": "a", "HOME": "/home/a"}
    own |= {"CUDA_VISIBLE_DEVICES": "1", "DYLD_FALLBACK_LIBRARY_PATH": "lib", "REQUESTS_CA_BUNDLE": "own.pem"}
    for name, value in (foreign | own).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    kept = isolation.variables(tmp_path)
    assert not foreign.keys() & kept.keys()
    assert kept["TORCH_HOME"] == str(tmp_path / "weights")
    assert kept["DLBOOK_DATA"] == str(tmp_path / "data")
    assert kept["REQUESTS_CA_BUNDLE"] == str(tmp_path / "own.pem")
    unchanged = own.keys() - {"TORCH_HOME", "DLBOOK_DATA", "REQUESTS_CA_BUNDLE"}
    assert {name: kept[name] for name in unchanged} == {name: own[name] for name in unchanged}
    assert kept["PYTHONNOUSERSITE"] == "1"
    assert (kept["LC_ALL"], kept["TZ"]) == ("C.UTF-8", "UTC")  # a time or a number as text is no user's own
    assert kept["TORCH_CPP_LOG_LEVEL"] == "ERROR"  # NNPACK's notice would stand in a page


@pytest.mark.quick
def test_a_home_that_cannot_be_written_says_nothing_in_a_page(tmp_path):
    """Matplotlib would announce a folder of its own, and a list of fonts that takes long to make."""
    code = f"""
import pathlib, subprocess, sys
from bookbuild.run import isolation
variables = isolation.variables(pathlib.Path({str(tmp_path)!r}))
draw = [sys.executable, "-c", "import matplotlib.pyplot"]
drawn = subprocess.run(draw, env=variables, stderr=subprocess.PIPE)
print(drawn.returncode, drawn.stderr.decode())
"""
    home = {"HOME": "/dev/null/home", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'book' / '_ext'}"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG", "MPL"))}
    told = subprocess.run([sys.executable, "-c", code], env=kept | home, capture_output=True, text=True)
    assert told.stdout.strip() == "0"
