"""A notebook on another machine: it installs the book's package, runs, and changes nothing that was there."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest
from bookbuild.check import notebooks
from bookbuild.render.notebooks import to_notebook
from bookbuild.render.surroundings import Surroundings
from conftest import ROOT
from small_book import FRONT_MATTER, PATIENCE
from test_workflows import git

CHAPTER = (
    FRONT_MATTER
    + """
# A chapter

```{code-cell}
from dlbook import data, metrics, pages
import torch

assert pages.load("cnn/two", "note") == "handed on"
print(data.__file__, torch.ones(1), metrics.accuracy(torch.eye(2), torch.tensor([0, 1])))
```
"""
)


# What a checkout has beside its package and its build.
BESIDE = (
    "_config.yml",
    "_toc.yml",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "requirements.txt",
    "requirements-torch.txt",
)


@pytest.fixture(scope="module")
def package_index(tmp_path_factory):
    """Building the package takes hatchling, which pip has from the index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=1", "hatchling"]
    asked = subprocess.run(command, cwd=tmp_path_factory.mktemp("index"), capture_output=True, text=True)
    if asked.returncode:
        pytest.skip(f"the package index does not answer: {asked.stderr}")


def checkout(folder: Path, tqdm: str = "") -> Path:
    """Make a repository with this one's package and scripts; tqdm: other bounds of its version."""
    for name in ("src", "book/_ext"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, folder)
    if tqdm:
        project = folder / "pyproject.toml"
        project.write_text(re.sub(r'"tqdm>=[^"]*"', f'"tqdm{tqdm}"', project.read_text()))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A book")
    return folder


def write_notebook(folder: Path, repository: str | None) -> None:
    """Write what a build writes: a notebook, and the file of another page that it loads."""
    file = "_saved/cnn/two/1/note.json"
    saved = folder / "_build" / "html" / file
    saved.parent.mkdir(parents=True)
    saved.write_text('"handed on"')
    address = f"https://someone.github.io/book/{file}"
    loads = {"cnn/two": {"note": (address, hashlib.sha256(saved.read_bytes()).hexdigest())}}
    around = Surroundings("cnn/one", site="", number=str, provenance=str, myst=(), references={})
    notebook = to_notebook(CHAPTER, around, repository, git(folder, "rev-parse", "HEAD"), loads)
    path = folder / "_build" / "notebooks" / "cnn" / "one.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def rehearse(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bookbuild", "rehearse", *options]
    environment = os.environ | {
        "PYTHONPATH": str(folder / "book" / "_ext"),
        "DLBOOK_DATA": str(folder / "data"),
    }
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.usefixtures("package_index")
def test_a_notebook_installs_the_package_and_nothing_that_is_there(tmp_path):
    """Also where an older numpy lies behind the one that is used, and metadata are broken, as on Colab.

    The notebook loads what another page saved, from the site that was built: no published one has it yet.
    """
    write_notebook(checkout(tmp_path), "https://github.com/someone/book")
    told = rehearse(tmp_path, "--untidy")
    assert told.returncode == 0, told.stderr
    assert "installed dlbook" in told.stdout
    assert re.search(r"^cnn/one +\d+ s +held up to 0\.[1-9]\d GB of 1\.50 GB$", told.stdout, re.MULTILINE)
    assert "torch" not in told.stdout


@pytest.mark.usefixtures("package_index")
def test_a_package_that_wants_another_version_of_what_is_there_is_refused(tmp_path):
    write_notebook(checkout(tmp_path, tqdm="<4.60"), "https://github.com/someone/book")
    told = rehearse(tmp_path)
    assert told.returncode == 1
    assert "pip could not install the book's package" in told.stderr


def test_a_notebook_that_installs_nothing_is_refused(tmp_path):
    write_notebook(checkout(tmp_path), None)
    told = rehearse(tmp_path)
    assert told.returncode == 1
    assert "installs nothing" in told.stderr


# Like Jupyter's programs, it starts another one in a group of its own, tells its number, and waits for it.
STARTING = """\
import pathlib, subprocess, sys
started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
pathlib.Path("number").write_text(str(started.pid))
started.wait()
"""
REHEARSING = """\
import os, pathlib, signal, sys, time
from bookbuild import memory
from bookbuild.check import notebooks
from bookbuild.termination import terminable

class Stopped:
    def __init__(self, *_, **__):
        while not (number.exists() and number.read_text()): time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

number = pathlib.Path("number")
if sys.argv[2:]: memory.Watch = Stopped
with terminable():
    notebooks.run(sys.executable, "-c", sys.argv[1])
"""


@pytest.mark.parametrize("early", [[], ["before it is watched"]])
def test_a_rehearsal_that_is_stopped_leaves_no_kernel(tmp_path, early):
    command = [sys.executable, "-c", REHEARSING, STARTING, *early]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "book" / "_ext")}
    rehearsal = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    number, deadline = tmp_path / "number", time.monotonic() + PATIENCE
    while not (number.exists() and number.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    kernel = psutil.Process(int(number.read_text()))
    if not early:
        rehearsal.terminate()
    try:
        _, said = rehearsal.communicate(timeout=PATIENCE)
        _, alive = psutil.wait_procs([kernel], timeout=PATIENCE)
    finally:
        with suppress(psutil.NoSuchProcess):
            kernel.kill()
    assert alive == []
    assert said.endswith("KeyboardInterrupt\n")


PROJECT = """\
[project]
dependencies = ["numpy>=1", "torch>=2.9,<3", "torch-thing>=4", "torchvision>=0.24"]
"""


def test_the_oldest_pytorch_is_what_the_package_admits_at_least(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    asked = []
    monkeypatch.setattr(notebooks, "run", lambda *command, **_: asked.append([str(each) for each in command]))
    monkeypatch.setattr(notebooks, "make_untidy", lambda programs: None)
    notebooks.new_environment(tmp_path / "new", tmp_path, notebooks.Environment(True, True))
    _, others, torch = asked
    assert "opencv-python-headless" in others
    assert "opencv-python" not in others
    assert {"torch>=2.9,<3", "torchvision>=0.24", "--resolution=lowest-direct"} <= set(torch)
    assert not [each for each in torch if each.startswith(("--constraints", "numpy", "torch-thing"))]
    assert "--resolution=lowest-direct" not in others
