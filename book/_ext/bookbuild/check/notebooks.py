"""Run notebooks as a reader on Colab does: from the first cell to the last, where the book is not installed.

Each notebook gets a new environment that holds what Colab's holds, in the locked versions or others that
`Environment` names. It is run as it will be published, on the CPU. As nothing is published yet, git is told
to take the repository's GitHub address for this checkout, and what other pages hand on to it comes from the
site that was built.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bookbuild import memory, termination, uv
from bookbuild.book import Book
from bookbuild.loopback import served
from bookbuild.repository import pages_address
from bookbuild.run import isolation
from bookbuild.summary import SAVED

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
    "tqdm",
]
TORCH = ("torch", "torchvision")
INSTALLED_FROM = re.compile(r"dlbook @ (?P<what>git\+(?P<repository>[^\s@]+)@(?P<commit>[0-9a-f]{40}))")
# What pip says where the book's package finds another one of OpenCV's packages, which does as well.
OTHER_OPENCV = re.compile(r"dlbook \S+ requires opencv-python, which is not installed\.")


class RehearsalError(Exception):
    """A notebook does not do on another machine what it should; the message says what it did."""


@dataclass(frozen=True)
class Environment:
    """How an environment differs from a new one with the locked versions.

    Attributes:
        is_untidy: whether it has been used for long, and has OpenCV without windows, as servers have.
        has_oldest_torch: whether it has the oldest PyTorch that the package admits.
    """

    is_untidy: bool = False
    has_oldest_torch: bool = False


@dataclass(frozen=True)
class Rehearsal:
    """How a notebook ran: seconds, the most bytes that it held at once, and what it installed."""

    seconds: float
    peak: int
    installed: Sequence[str]


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
        try:
            printed, _ = program.communicate()
        except BaseException:  # a kernel does not end by itself with the program that started it
            termination.end(program.pid)
            raise
    if program.returncode:
        said = "\n".join(printed.splitlines()[-40:])
        raise RehearsalError(f"{' '.join(map(str, command))} failed:\n{said}")
    return printed, watch.peak


def new_environment(folder: Path, root: Path, kind: Environment) -> Path:
    """Make an environment with what Colab has, and return its folder of programs."""
    known, options = uv.told()
    install: list[str | Path] = [uv.PROGRAM, "pip", "install", "--quiet", f"--python={folder}", *options]
    builds = ["--torch-backend", "cpu"] if version("torch").endswith("+cpu") else []
    locks = [f"--constraints={root / lock}" for lock in ("requirements.txt", "requirements-torch.txt")]
    torch = (
        ["--resolution=lowest-direct", *admitted(TORCH, root)] if kind.has_oldest_torch else [*locks, *TORCH]
    )
    others = set(ON_COLAB)
    if kind.is_untidy:
        others = others - {"opencv-python"} | {"opencv-python-headless"}
    run(uv.PROGRAM, "venv", "--quiet", "--seed", f"--python={sys.executable}", *options, folder, **known)
    run(*install, *locks, *sorted(others), **known)
    run(*install, *builds, *torch, **known)
    if kind.is_untidy:
        make_untidy(folder / "bin")
    return folder / "bin"


def admitted(names: Iterable[str], root: Path) -> list[str]:
    """Return these packages with the versions that the book's package admits, such as ``torch>=2.9``."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [
        each for each in project["dependencies"] if (found := re.match(r"[\w-]+", each)) and found[0] in names
    ]


def make_untidy(programs: Path) -> None:
    """Leave in an environment what is found on Colab: packages twice, and packages with broken metadata."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    first = Path(run(programs / "python", "-c", ask).strip())
    second = first.parent / "dist-packages"
    (first / "second.pth").write_text(f"{second}\n")
    for folder, said in {
        second / "numpy-1.0.dist-info": b"Name: numpy\nVersion: 1.0\n",
        first / "~umpy-1.0.dist-info": b"Name: numpy\nVersion: 1.0\n",  # pip leaves it where it was killed
        first / "unversioned-1.16.0.dist-info": b"Name: unversioned\nVersion: 1.16.0-unknown\n",
        first / "nameless-1.0.dist-info": b"",
    }.items():
        folder.mkdir(parents=True)
        (folder / "METADATA").write_bytes(b"Metadata-Version: 2.1\n" + said)
    (first / "empty-1.0.dist-info").mkdir()


def packages(programs: Path) -> set[str]:
    """Return what is installed, as ``name==version`` or ``name @ origin``."""
    return set(run(programs / "pip", "freeze", "--all").splitlines())


def require_fit(programs: Path) -> None:
    """Raise a `RehearsalError` where packages of an environment do not go together."""
    told = subprocess.run([programs / "pip", "check"], capture_output=True, text=True)
    said = [line for line in told.stdout.splitlines() if not OTHER_OPENCV.fullmatch(line)]
    if told.returncode and (said or not told.stdout.strip()):
        raise RehearsalError("the packages do not fit together: " + "; ".join(said or [told.stderr]))


def rehearse(notebook: Path, site: str, scratch: Path, root: Path, kind: Environment) -> Rehearsal:
    """Run one notebook in an environment of its own.

    Args:
        notebook: as the build wrote it.
        site: the address at which what was built is served.
        root: the checkout, with the lock files.
        scratch: an empty folder for the environment and the outputs.
        kind: of the environment.

    Raises:
        RehearsalError: the notebook installs nothing, fails, changes what was there, or holds more memory
            than a page may.
    """
    text = notebook.read_text(encoding="utf-8")
    installs = INSTALLED_FROM.search(text)
    if installs is None:
        raise RehearsalError(
            f"{notebook} installs nothing: build it for a repository, GITHUB_REPOSITORY=you/book make book, "
            "in a checkout that git answers for"
        )
    programs = new_environment(scratch / "environment", root, kind)
    before = packages(programs)
    copy = scratch / notebook.name
    published = pages_address(*installs["repository"].split("/")[-2:])
    copy.write_text(text.replace(f"{published}{SAVED}/", f"{site}/{SAVED}/"), encoding="utf-8")
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
    require_fit(programs)
    if peak > memory.LIMIT:
        raise RehearsalError(
            f"{notebook} held up to {memory.gigabytes(peak)} of memory; Binder ends what takes more than "
            f"about {memory.gigabytes(memory.LIMIT)}. `make profile PAGE=…` shows which cells take it"
        )
    return Rehearsal(seconds, peak, sorted(re.split(r"==| @ ", package)[0] for package in after - before))


def rehearse_all(book: Book, names: Sequence[str], kind: Environment) -> int:
    """Rehearse notebooks, say how each went and what memory it held; 1 if any is not as it should be.

    Args:
        book: built.
        names: such as ``cnn/mnist-mlp``; none means all that the build wrote.
        kind: of the environments.
    """
    folder = book.build / "notebooks"
    paths = [folder / f"{name}.ipynb" for name in names] or sorted(folder.rglob("*.ipynb"))
    absent = [str(path) for path in paths if not path.exists()] or ([] if paths else [str(folder)])
    if absent:
        print(f"error: {', '.join(absent)} not there: run `make book`", file=sys.stderr)
        return 1
    went: dict[Path, Rehearsal] = {}
    for path in paths:
        with tempfile.TemporaryDirectory() as scratch, served(book.html) as site:
            try:
                found = went[path] = rehearse(path, site, Path(scratch), book.root, kind)
            except RehearsalError as error:
                print(f"error: {error}", file=sys.stderr)
            else:
                installed = ", ".join(found.installed)
                print(f"{path}: installed {installed}; changed nothing that was there", flush=True)
    for path, found in sorted(went.items(), key=lambda each: -each[1].peak):
        held, limit = memory.gigabytes(found.peak), memory.gigabytes(memory.LIMIT)
        name = path.relative_to(folder).with_suffix("").as_posix()
        print(f"{name:<40} {found.seconds:>6.0f} s   held up to {held} of {limit}")
    return 1 if len(went) < len(paths) else 0
