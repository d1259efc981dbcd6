"""A small book with this book's own configuration, extensions and package, built by the real command."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from conftest import ROOT

FRONT_MATTER = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  name: python3
  display_name: Python 3
---
"""
CELL = """
```{code-cell}
%s
open(__import__("os").environ["DLBOOK_EXECUTED_LOG"], "a").write(%r)
```
"""
# A build may be told that there is a GPU, and so is its kernel; what computes here is the CPU.
IMITATED = """
choose_device = lambda requested=None: Runtime(torch.device(requested or "cpu"), "it is imitated")
device_name = lambda device: "an imitated device"
peak_gpu_memory = lambda: 0
"""
# Says in the log that it has begun, and goes on for longer than any test waits.
ENDLESS = """import os, time
open(os.environ["DLBOOK_EXECUTED_LOG"], "a").write("begun\\n")
time.sleep(3600)
"""
# Seconds that a build, or what it has begun, is waited for before a test fails: far from any real machine.
PATIENCE = 900


class Book:
    """A book of two chapters with its own copy of `dlbook`: one uses metrics, the other data and metrics."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "executed.log"
        (folder / "book" / "cnn").mkdir(parents=True)
        shutil.copytree(ROOT / "src", folder / "src")
        shutil.copytree(ROOT / "book" / "_ext", folder / "book" / "_ext")
        for looks in ("_static", "_templates"):
            shutil.copytree(ROOT / "book" / looks, folder / "book" / looks)
        shutil.copy(ROOT / "book" / "references.bib", folder / "book")
        config = (ROOT / "_config.yml").read_text()
        (folder / "_config.yml").write_text(config.replace("bookbuild_fonts: true", "bookbuild_fonts: false"))
        for lock in ROOT.glob("requirements*.txt"):
            shutil.copy(lock, folder)
        (folder / "_toc.yml").write_text(
            "format: jb-book\nroot: index\nchapters:\n- file: cnn/data\n- file: cnn/plain\n"
        )
        (folder / "book" / "index.md").write_text("# Index\n")
        self.write("data", "from dlbook import data\nprint(data.load('mnist'))")
        self.write("plain", "import torch\nfrom dlbook import initial\nprint('plain')")
        with (folder / "src" / "dlbook" / "runtime.py").open("a") as runtime:
            runtime.write(IMITATED)
        # A small module of the test's own, so that one change has one meaning.
        (folder / "src" / "dlbook" / "initial.py").write_text("from dlbook.scale import UNIT\n")
        (folder / "src" / "dlbook" / "scale.py").write_text('"""A docstring."""\n\nUNIT = 1  # one\n')

    def write(self, name: str, code: str, prose: str = "Some prose.") -> None:
        cell = CELL % (code, name + "\n")
        text = f"{FRONT_MATTER}\n# Chapter {name}\n\n{prose}\n{cell}"
        (self.folder / "book" / "cnn" / f"{name}.md").write_text(text)

    def start(self, **variables: str) -> subprocess.Popen[str]:
        """Start a build, without a network."""
        command = [Path(sys.executable).parent / "jupyter-book", "build", "book", "--config", "_config.yml"]
        command += ["--toc", self.folder / "_toc.yml", "--path-output", ".", "-W", "--keep-going"]
        return self._start(command, variables)

    def _start(self, command: list, variables: dict[str, str]) -> subprocess.Popen[str]:
        environment = os.environ | {
            "PYTHONPATH": f"{self.folder / 'src'}{os.pathsep}{self.folder / 'book' / '_ext'}",
            "DLBOOK_DATA": str(self.folder / "data"),
            "DLBOOK_EXECUTED_LOG": str(self.log),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
        }
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, endless: int, **variables: str) -> list[psutil.Process]:
        """Start a build, press Ctrl-C when so many chapters are in `ENDLESS`; return the processes it had."""
        self.log.write_text("")
        return self._end(self.start(**variables), endless, signal.SIGINT)

    def end(self, endless: int, number: int, *said: str, **variables: str) -> list[psutil.Process]:
        """The same for any signal, and what the build's command line is told; else to execute."""
        self.log.write_text("")
        command = [sys.executable, "-m", "bookbuild", *(said or ["execute"])]
        return self._end(self._start(command, variables), endless, number)

    def _end(self, build: subprocess.Popen[str], endless: int, number: int) -> list[psutil.Process]:
        deadline = time.monotonic() + PATIENCE
        while (begun := self.executed().count("begun")) < endless and time.monotonic() < deadline:
            time.sleep(0.1)
        processes = psutil.Process(build.pid).children(recursive=True)
        build.send_signal(number)
        assert self.finish(build) != 0
        assert begun == endless, self.errors
        return processes

    def execute(self) -> list[str]:
        """Execute by the build's own command line, which renders nothing; return the chapters that did."""
        self.log.write_text("")
        command = [sys.executable, "-m", "bookbuild", "execute"]
        assert self.finish(self._start(command, {})) == 0, self.errors
        return self.executed()

    def finish(self, build: subprocess.Popen[str]) -> int:
        """Wait for a build, keep what it said, and return its exit code."""
        self.said, self.errors = build.communicate(timeout=PATIENCE)
        return build.returncode

    def executed(self) -> list[str]:
        """Return the chapters that executed since the log was cleared, sorted."""
        return sorted(self.log.read_text().split())

    def build(self, **variables: str) -> list[str]:
        """Build, which must succeed; return the chapters that executed, sorted."""
        self.log.write_text("")
        assert self.finish(self.start(**variables)) == 0, self.errors
        return self.executed()

    def fail(self, **variables: str) -> list[str]:
        """Build, which must fail; return the chapters that executed, sorted."""
        self.log.write_text("")
        assert self.finish(self.start(**variables)) != 0, self.said
        return self.executed()

    def page(self, name: str) -> str:
        return (self.folder / "_build" / "html" / "cnn" / f"{name}.html").read_text()
