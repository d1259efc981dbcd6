"""Make a chapter's failure loud, exact, and impossible to build over.

myst-nb executes the chapters and warns when one fails. This extension adds which cell failed and on
which line of the source, and forgets the build's reading state after any warning. Sphinx would
otherwise read nothing again the next time, warn of nothing, and call the same site a success.
"""

import os
from pathlib import Path

import nbformat
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def quiet_progress_bars(app: Sphinx, config: object) -> None:
    """Keep tqdm's bars out of the pages: the kernels inherit this variable."""
    os.environ.setdefault("TQDM_DISABLE", "1")


def report_failed_cell(app: Sphinx, doctree: nodes.document) -> None:
    """Name the cell that failed, its line, and the error's last line."""
    execution = NbMetadataCollector.get_exec_data(app.env, app.env.docname)
    if not execution or execution["succeeded"]:
        return
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{app.env.docname}.ipynb"
    notebook = nbformat.read(executed, as_version=4)
    number, line, error = find_failed_cell(notebook)
    where = f"cell {number} (line {line})" if number else "a cell"
    LOGGER.error(
        "%s of %s failed: %s", where, app.env.docname, error or execution["error"], location=app.env.docname
    )


def find_failed_cell(notebook: nbformat.NotebookNode) -> tuple[int | None, int | None, str | None]:
    """Return the failed code cell's number (from 1), its line in the source, and its error."""
    lines = notebook.metadata.get("source_map", [])
    number = 0
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        number += 1
        for output in cell.outputs:
            if output.output_type == "error":
                line = lines[index] + 1 if index < len(lines) else None
                return number, line, f"{output.ename}: {output.evalue}"
    return None, None, None


def forget_after_warnings(app: Sphinx, exception: Exception | None) -> None:
    """After a build with warnings, make the next one read every page again.

    What was executed without error stays in the execution cache, and is not executed again.
    """
    if exception is not None or app._warncount:
        (Path(app.doctreedir) / "environment.pickle").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("config-inited", quiet_progress_bars)
    app.connect("doctree-read", report_failed_cell)
    app.connect("build-finished", forget_after_warnings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
