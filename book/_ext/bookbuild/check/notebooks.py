"""Run notebooks as a reader on Colab does: from the first cell to the last, where the book is not installed.

Each notebook gets a new environment that holds what Colab's holds, in the locked versions. It is run as it
is published, on the CPU; git alone is told to take the repository's GitHub address for this checkout.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from bookbuild import memory, uv
from bookbuild.book import Book
from bookbuild.run import isolation

ON_COLAB = [
    "filelock",
    "ipykernel",
    "matplotlib",
    "nbclient",
    "numpy",
    "opencv-python",
    "pillow",
    "pip",
    "requests",
    "scikit-image",
    "scikit-learn",
    "torch",
    "torchvision",
    "tqdm",
]
INSTALLED_FROM = re.compile(r"dlbook @ (?P<what>git\+(?P<repository>[^\s@]+)@(?P<commit>[0-9a-f]{40}))")


class RehearsalError(Exception):
    """A notebook does not do on another machine what it should; the message says what it did."""


def run(*command: str | Path, **environment: str) -> str:
    """Run a program, and return what it printed; errors are as `run_watched` says."""
    return run_watched(*command, **environment)[0]


def run_watched(*command: str | Path, **environment: str) -> tuple[str, int]:
    """Run a program; return what it printed, and the most bytes that what it started held at once.

    Raises:
        RehearsalError: it failed; the message ends with the last that it said.
    """
    program = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with program, closing(memory.Watch(program.pid, with_itself=False)) as watch:
        printed, _ = program.communicate()
    if program.returncode:
        said = "\n".join(printed.splitlines()[-40:])
        raise RehearsalError(f"{' '.join(map(str, command))} failed:\n{said}")
    return printed, watch.peak


def new_environment(folder: Path, root: Path) -> Path:
    """Make an environment with what Colab has, and return its folder of programs."""
    builds = ["--torch-backend", "cpu"] if version("torch").endswith("+cpu") else []
    locks = [f"--constraints={root / lock}" for lock in ("requirements.txt", "requirements-torch.txt")]
    known = uv.variables()
    run(uv.PROGRAM, "venv", "--quiet", "--seed", f"--python={sys.executable}", folder, **known)
    run(uv.PROGRAM, "pip", "install", "--quiet", f"--python={folder}", *builds, *locks, *ON_COLAB, **known)
    return folder / "bin"


def make_untidy(programs: Path) -> None:
    """Leave in an environment what is found on Colab: a package twice, and packages with broken metadata."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    first = Path(run(programs / "python", "-c", ask).strip())
    second = first.parent / "dist-packages"
    (first / "second.pth").write_text(f"{second}\n")
    for folder, said in {
        second / "numpy-1.0.dist-info": "Name: numpy\nVersion: 1.0\n",
        first / "unversioned-1.16.0.dist-info": "Name: unversioned\nVersion: 1.16.0-unknown\n",
        first / "nameless-1.0.dist-info": "",
    }.items():
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\n{said}")


def packages(programs: Path) -> set[str]:
    """Return what is installed, as ``name==version`` or ``name @ origin``."""
    return set(run(programs / "pip", "freeze", "--all").splitlines())


def rehearse(notebook: Path, scratch: Path, root: Path, untidy: bool) -> str:
    """Run one notebook in an environment of its own, and say how that went.

    Args:
        notebook: as the build wrote it.
        root: the checkout, with the lock files.
        scratch: an empty folder for the environment and the outputs.
        untidy: whether the environment is one that has been used for long.

    Raises:
        RehearsalError: the notebook installs nothing, fails, changes what was there, or holds more memory
            than a page may.
    """
    installs = INSTALLED_FROM.search(notebook.read_text(encoding="utf-8"))
    if installs is None:
        raise RehearsalError(
            f"{notebook} installs nothing: build it for a repository, GITHUB_REPOSITORY=you/book make book, "
            "in a checkout that git answers for"
        )
    programs = new_environment(scratch / "environment", root)
    if untidy:
        make_untidy(programs)
    before = packages(programs)
    copy = scratch / notebook.name
    copy.write_bytes(notebook.read_bytes())
    started = time.monotonic()
    # The kernel's memory, and not that of the program which starts it.
    _, peak = run_watched(
        *(programs / "jupyter-execute", "--inplace", copy),
        **isolation.resolved(os.environ),
        DLBOOK_DEVICE="cpu",  # Binder has no other
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        PYTHONPATH="",
        JUPYTER_PREFER_ENV_PATH="1",
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0=f"url.{root.as_uri()}.insteadOf",
        GIT_CONFIG_VALUE_0=installs["repository"],
    )
    seconds = time.monotonic() - started
    after = packages(programs)
    if f"dlbook @ {installs['what']}" not in after:
        raise RehearsalError(f"{notebook} did not install {installs['what']}")
    if gone := before - after:
        raise RehearsalError(f"{notebook} replaced what was installed: {', '.join(sorted(gone))}")
    run(programs / "pip", "check")
    added = ", ".join(sorted(re.split(r"==| @ ", package)[0] for package in after - before))
    held = f"held up to {memory.gigabytes(peak)} of memory"
    if peak > memory.LIMIT:
        raise RehearsalError(
            f"{notebook} {held}; Binder ends what takes more than about {memory.gigabytes(memory.LIMIT)}. "
            "`make profile PAGE=…` shows which cells take it"
        )
    return f"{notebook}: ran in {seconds:.0f} s; {held}; installed {added}; changed nothing that was there"


def rehearse_all(book: Book, names: Sequence[str], untidy: bool = False) -> int:
    """Rehearse notebooks, and say how each went; 1 if any is not as it should be.

    Args:
        book: built.
        names: such as ``cnn/mnist-mlp``; none means all that the build wrote.
        untidy: whether in environments that have been used for long.
    """
    folder = book.build / "notebooks"
    paths = [folder / f"{name}.ipynb" for name in names] or sorted(folder.rglob("*.ipynb"))
    absent = [str(path) for path in paths if not path.exists()] or ([] if paths else [str(folder)])
    if absent:
        print(f"error: {', '.join(absent)} not there: run `make book`", file=sys.stderr)
        return 1
    failed = 0
    for path in paths:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                print(rehearse(path, Path(scratch), book.root, untidy), flush=True)
            except RehearsalError as error:
                print(f"error: {error}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0
