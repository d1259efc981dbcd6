"""Make a chapter's failure loud, exact, and impossible to build over.

myst-nb warns when a chapter failed. This extension adds which cell failed and on which line of the
source, and forgets the build's reading state after any warning. Sphinx would otherwise read nothing
again the next time, warn of nothing, and call the same site a success.
"""

import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from myst_nb.sphinx_ import NbMetadataCollector
from nbclient.exceptions import CellExecutionError, DeadKernelError
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from tqdm import tqdm

LOGGER = logging.getLogger(__name__)
# Metadata of a notebook that failed: the index of the cell that raised, ran out of time, or killed its
# kernel, and the error in one line.
FAILURE = "failure"


def execute(
    notebook: nbformat.NotebookNode, chapter_limit: float, *, cwd: str, timeout: float, **options: Any
) -> ExecutionResult:
    """Execute a chapter within a time limit for all of it, and survive the death of its kernel.

    Args:
        notebook: is executed in place.
        chapter_limit: seconds that the whole chapter may take.
        cwd: where the kernel runs.
        timeout: seconds that one cell may take.
        options: what else myst-nb hands to jupyter-cache.
    """
    start = time.monotonic()
    started: list[int] = []

    def cell_limit(_: object) -> float:
        return max(0.1, min(timeout, chapter_limit - (time.monotonic() - start)))

    bar = tqdm(total=len(notebook.cells), desc="cells", leave=False, disable=not sys.stderr.isatty())

    def note_start(cell: nbformat.NotebookNode, cell_index: int) -> None:
        started.append(cell_index)
        bar.update(cell_index - bar.n)

    options |= {"timeout_func": cell_limit, "on_cell_start": note_start}
    try:
        with bar:
            result = single_nb_execution(notebook, cwd=cwd, timeout=None, **options)
    except DeadKernelError as death:  # jupyter-cache expects only errors that a cell raised
        result = ExecutionResult(notebook, cwd, time.monotonic() - start, death, traceback.format_exc())
    if result.err is not None:
        notebook.metadata[FAILURE] = {"cell": started[-1] if started else None, "error": one_line(result.err)}
    return result


def one_line(error: Exception) -> str:
    """Return an error as Python's own last line would say it, without the traceback."""
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {error.evalue}"
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def quiet_progress_bars(app: Sphinx, config: Config) -> None:
    """Keep tqdm's bars out of the pages: the kernels inherit this variable."""
    os.environ.setdefault("TQDM_DISABLE", "1")


def report_failed_cell(app: Sphinx, doctree: nodes.document) -> None:
    """Name the cell that failed, its line, and the error's last line."""
    execution = NbMetadataCollector.get_exec_data(app.env, app.env.docname)
    if not execution or execution["succeeded"]:
        return
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{app.env.docname}.ipynb"
    notebook = nbformat.read(executed, as_version=4)
    failure = notebook.metadata[FAILURE]
    if failure.cell is None:
        where = "the kernel"
    else:
        number = sum(cell.cell_type == "code" for cell in notebook.cells[: failure.cell + 1])
        where = f"cell {number} (line {notebook.metadata.source_map[failure.cell] + 1})"
    LOGGER.error("%s of %s failed: %s", where, app.env.docname, failure.error)


def forget_after_warnings(app: Sphinx, exception: Exception | None) -> None:
    """After a build with warnings, make the next one read every page again.

    What was executed without error stays in the execution cache, and is not executed again.
    """
    if exception is not None or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_config_value("dlbook_chapter_timeout", 1800, "")
    app.connect("config-inited", quiet_progress_bars)
    app.connect("doctree-read", report_failed_cell)
    app.connect("build-finished", forget_after_warnings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
