"""Where a page's time and memory go: cell by cell, and by the kind of work."""

import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

import bookbuild
from bookbuild.book import Book, BookError
from bookbuild.memory import gigabytes
from bookbuild.run.cache import ExecutionCache
from bookbuild.run.execute import Executor
from bookbuild.run.kernel import Failure, PageRun
from bookbuild.run.workers import threads


@dataclass(frozen=True)
class Cost:
    """What a cell took.

    Attributes:
        line: where it begins in the page's source.
        seconds: of wall-clock time.
        memory: the most that the kernel held while it ran, in bytes; see `bookbuild.memory.held`.
        kinds: kind of work → seconds of it; see `bookbuild.run.sampler`.
    """

    line: int
    seconds: float
    memory: int
    kinds: dict[str, float]


class ProfiledRun(PageRun):
    """One execution of a page that notes what each cell takes; arguments are as for `PageRun`."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._taken: list[tuple[int, float, int]] = []
        self._kinds = self.artifacts.parent / "kinds.jsonl"
        extension = str(Path(bookbuild.__file__).parents[1])
        begin = f"import sys; sys.path.append({extension!r}); from bookbuild.run import sampler"
        line = f"{begin}; sampler.start({str(self._kinds)!r}); del sampler"
        self._client.extra_arguments = [*self._client.extra_arguments, f"--IPKernelApp.exec_lines={line}"]
        self._client.on_cell_executed = self._note_end

    def _note_start(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        super()._note_start(cell, cell_index)
        if self._memory:
            self._memory.lap()
        self._cell_began = time.monotonic()

    def _note_end(self, cell: nbformat.NotebookNode, cell_index: int, execute_reply: object) -> None:
        memory = self._memory.lap() if self._memory else 0
        self._taken.append((cell_index, time.monotonic() - self._cell_began, memory))

    def costs(self) -> list[Cost]:
        """Return what each cell took, as far as the page came."""
        lines = self.notebook.metadata.get("source_map", [])
        said = self._kinds.read_text(encoding="utf-8").splitlines() if self._kinds.exists() else []
        return [
            Cost(lines[index] + 1, seconds, memory, json.loads(kinds))
            for (index, seconds, memory), kinds in zip(self._taken, said, strict=False)
            if index < len(lines)  # the last one is the build's own
        ]


def profile(book: Book, docname: str) -> int:
    """Execute a page, keep nothing of it, and print what it took; 1 where it failed.

    Raises:
        BookError: there is no such page with cells, or it loads files of a page that was not executed.
    """
    if docname not in book.notebooks:
        raise BookError(f"no chapter {docname!r}: the book has {', '.join(sorted(book.notebooks))}")
    with tempfile.TemporaryDirectory() as scratch:
        costs, failure = _run(book, docname, Path(scratch) / "page")
    for line in report(docname, costs):
        print(line)
    if failure:
        print(f"{failure}\n{failure.traceback}")
    return 1 if failure else 0


def _run(book: Book, docname: str, folder: Path) -> tuple[list[Cost], Failure | None]:
    executor = Executor(book, ExecutionCache(book.cache_folder))
    run = executor.prepare(docname, folder, ProfiledRun)
    with ThreadPoolExecutor(1) as pool:  # in this thread, nbclient would wait for a kernel that is to end
        try:
            failure = pool.submit(run.execute, threads()).result()
        except BaseException:
            run.kill()
            raise
    return run.costs(), failure


def report(docname: str, costs: list[Cost]) -> Iterator[str]:
    """Yield the lines of a table: a row for each cell, and one for the page."""
    if not costs:
        return
    yield f"{'cell':>4} {'line':>5} {'seconds':>8} {'memory':>8}  seconds by kind of work"
    for number, cost in enumerate(costs, start=1):
        yield (
            f"{number:>4} {cost.line:>5} {cost.seconds:>8.1f} {gigabytes(cost.memory):>8}  "
            f"{_kinds_text(cost.kinds)}"
        )
    kinds = {kind: sum(cost.kinds.get(kind, 0) for cost in costs) for cost in costs for kind in cost.kinds}
    most = max(costs, key=lambda cost: cost.memory)
    seconds = sum(cost.seconds for cost in costs)
    yield f"{docname} took {seconds:.1f} s: {_kinds_text(kinds)}"
    yield f"It held up to {gigabytes(most.memory)} of memory, in the cell of line {most.line}"


def _kinds_text(kinds: dict[str, float]) -> str:
    """Return the kinds that took a tenth of a second or more, the longest first."""
    by_time = sorted(kinds.items(), key=lambda item: -item[1])
    return ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in by_time if seconds >= 0.05)
