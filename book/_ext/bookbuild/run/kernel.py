"""Run the cells of one page in a kernel of its own, and bring back its outputs, its record and its files."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Never

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError, DeadKernelError
from tqdm import tqdm

from bookbuild import memory
from bookbuild.book import Page
from bookbuild.run import acceptance, agreement, isolation
from bookbuild.run.cache import FILES, RECORD
from dlbook import pages
from dlbook.record import Record

COLORS = re.compile(r"\x1b\[[0-9;]*m")
# What ended a kernel, and what to do: such a signal leaves no traceback.
REMEDIES = {
    "SIGBUS": "a file that the page had mapped into memory was cut off meanwhile, or the disk is full; "
    f"`{sys.executable} -m dlbook.data verify` names damaged data",
    "SIGKILL": "if nobody ended it, memory was too short: close programs, or set DLBOOK_WORKERS=1",
}


@dataclass(frozen=True)
class Failure:
    """Why a page's outputs cannot be used.

    Attributes:
        docname: of the page.
        where: the cell and its line, or the part of the build that found it.
        error: in one line.
        traceback: of the cell, as IPython shows it; empty where there is none.
    """

    docname: str
    where: str
    error: str
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.where} of {self.docname} failed: {self.error}"


class _Client(NotebookClient):
    """Tells how much a page puts out while it does, and what its kernel died of.

    Args:
        note: is called with the size of each output, in characters.
        arguments: of nbclient's own client.
    """

    def __init__(
        self, notebook: nbformat.NotebookNode, note: Callable[[int], None], **arguments: Any
    ) -> None:
        super().__init__(notebook, **arguments)
        self._note = note

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        """Keep an output as nbclient does, and tell its size."""
        self._note(acceptance.output_size(msg["content"]))
        return super().output(outs, msg, display_id, cell_index)

    async def async_execute_cell(self, *cell: Any, **options: Any) -> nbformat.NotebookNode:
        """Execute a cell as nbclient does."""
        try:
            return await super().async_execute_cell(*cell, **options)
        except DeadKernelError as error:
            raise DeadKernelError(f"{error}{await self._cause()}") from error

    async def _cause(self) -> str:
        code = await self.km.provisioner.poll() if self.km and self.km.provisioner else None
        if code is None or code >= 0:
            return ""
        try:
            ended_by = signal.Signals(-code).name
        except ValueError:  # one of many without a name
            ended_by = f"signal {-code}"
        return f" of {ended_by}" + (f": {REMEDIES[ended_by]}" if ended_by in REMEDIES else "")


class PageRun:
    """One execution of a page.

    Args:
        page: what to execute.
        notebook: the page with its fingerprint; its cells get outputs.
        folder: one that does not exist yet, to run in, and for the record and the files that the page saves.
        loads: page → name → path and SHA-256 of the files that this page loads.
    """

    def __init__(
        self,
        page: Page,
        notebook: nbformat.NotebookNode,
        folder: Path,
        loads: dict[str, dict[str, tuple[str, str]]],
    ) -> None:
        self.page, self.notebook = page, notebook
        self.artifacts, self._settings, self._working_folder = (
            folder / part for part in ("artifacts", "settings", "run")
        )
        self._used = folder / "used.json"
        self.seconds = 0.0
        self._memory: memory.Watch | None = None
        self._started: list[int] = []
        self._is_stopped = False
        self._size = 0
        self._begun = time.monotonic()
        self._variables = {
            "TQDM_DISABLE": "1",  # no bar leaves a trace in a page
            pages.SAVES: str(self.artifacts / FILES),
            pages.LOADS: json.dumps(loads),
        }
        self._client = _Client(
            notebook,
            self._note_output,
            timeout_func=self._cell_limit,
            record_timing=False,  # which would be part of the cells, and of the key
            on_notebook_start=self._watch_memory,
            on_cell_start=self._note_start,
            resources={"metadata": {"path": str(self._working_folder)}},
            kernel_manager_class=isolation.OwnKernelManager,
            extra_arguments=isolation.ARGUMENTS,
        )

    def execute(self, threads: int | None) -> Failure | None:
        """Execute all cells; return why the outputs are of no use, or None.

        Args:
            threads: for the kernel's computations; None leaves that to the libraries.
        """
        (self.artifacts / FILES).mkdir(parents=True)
        self._settings.mkdir()
        self._working_folder.mkdir()
        environment = isolation.variables(self._settings) | self._variables
        if threads is not None:
            environment["OMP_NUM_THREADS"] = str(threads)
        # What the build asks of the kernel behind the last cell.
        ask = f"from dlbook import results\nresults.write({str(self.artifacts / RECORD)!r})"
        ask += agreement.question(self.page, self._used)
        self.notebook.cells.append(nbformat.v4.new_code_cell(ask))
        try:
            with self._progress() as self._bar:
                self._client.execute(env=environment)
        except CellExecutionError as error:
            return self._failure(f"{error.ename}: {error.evalue}", COLORS.sub("", str(error)))
        except (CellControlSignal, RuntimeError) as error:  # of nbclient: the kernel died, or never began
            if self._size > acceptance.LARGEST:
                return self._failure(acceptance.too_large())
            return self._failure(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
        finally:
            self.notebook.cells.pop()
            if self._memory:
                self._memory.close()
            self.seconds = time.monotonic() - self._begun
        return self._accept()

    @cached_property
    def record(self) -> Record:
        """What the page left behind beside its outputs, once it is executed."""
        said = (self.artifacts / RECORD).read_text(encoding="utf-8")
        return Record.from_json(said).took(self.seconds, self._memory.peak if self._memory else 0)

    @cached_property
    def used(self) -> agreement.Used:
        """What its kernel really used, once it is executed."""
        return agreement.Used.read(self._used)

    def kill(self) -> None:
        """End the kernel and what it started at once; `execute` then returns in its own thread."""
        self._is_stopped = True
        if group := self._kernel("pgid"):  # a kernel leads a group of its own
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def _cell_limit(self, _: object) -> float:
        settings = self.page.settings
        left = settings.page_limit - (time.monotonic() - self._begun)
        return max(0.1, min(settings.cell_limit, left))

    def _kernel(self, number: str) -> Any:
        """Return the number of the kernel's process, or of its group; None before there is one."""
        return getattr(getattr(self._client.km, "provisioner", None), number, None)

    def _watch_memory(self, notebook: nbformat.NotebookNode) -> None:
        self._memory = memory.Watch(self._kernel("pid"))

    def _note_start(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        if self._is_stopped:  # before there was a kernel to end
            raise DeadKernelError("the build was stopped")
        self._started.append(cell_index)
        self._bar.update(cell_index - self._bar.n)

    def _note_output(self, size: int) -> None:
        self._size += size
        if self._size > acceptance.LARGEST:
            self.kill()

    def _failure(self, error: str, traceback: str = "") -> Failure:
        where = self._place(self._started[-1]) if self._started else "the kernel"
        return Failure(self.page.docname, where, error, traceback)

    def _place(self, index: int) -> str:
        lines = self.notebook.metadata.get("source_map", [])
        if index >= len(lines):
            return "the record"
        number = sum(cell.cell_type == "code" for cell in self.notebook.cells[: index + 1])
        return f"cell {number} (line {lines[index] + 1})"

    def _progress(self) -> "tqdm[Never]":
        quiet = not sys.stderr.isatty()
        return tqdm(total=len(self.notebook.cells), desc=self.page.docname, leave=False, disable=quiet)

    def _accept(self) -> Failure | None:
        """Decide whether the outputs may be kept: a page that warns is not one to publish."""
        found = acceptance.objection(self.notebook)
        return Failure(self.page.docname, self._place(found[0]), found[1]) if found else None
