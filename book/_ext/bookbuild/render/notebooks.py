"""A chapter as a notebook for Colab and JupyterLab: Markdown alone, no outputs, an install cell."""

import json
from collections.abc import Mapping

import jupytext
import nbformat

from bookbuild.opencv import remedy
from bookbuild.render.plain import definitions, plain_markdown
from bookbuild.render.surroundings import Surroundings

INSTALL = """\
# Install the book's package at the commit of the page. Where it is there already, nothing happens;
# what else is installed keeps its version.
import importlib.metadata
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

if importlib.util.find_spec("dlbook") is None:
    installed = {{}}
    for package in importlib.metadata.distributions():
        try:
            name = package.metadata["Name"]
            version = importlib.metadata.version(name)  # of the one that is imported
        except Exception:  # there are as many errors as ways in which metadata can be broken
            continue
        number = r"[\\d.]+((a|b|rc|\\.post|\\.dev)\\d+)*(\\+[\\w.]+)?"
        if re.fullmatch(r"\\w[\\w.-]*", name) and re.fullmatch(number, version or ""):
            installed[re.sub("[-_.]+", "-", name).lower()] = f"{{name}}=={{version}}"
    constraints = pathlib.Path(tempfile.mkdtemp()) / "installed.txt"
    constraints.write_text("\\n".join(sorted(installed.values())))
    pip = [sys.executable, "-m", "pip"]

    def install(*wanted):
        command = [*pip, "install", "--quiet", "--constraint", constraints, *wanted]
        told = subprocess.run(command, capture_output=True, text=True)
        if told.returncode:
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "dlbook"])
            raise RuntimeError(f"pip could not install the book's package:\\n{{told.stderr}}")
        importlib.invalidate_caches()

    install("--no-deps", "dlbook @ git+{repository}@{commit}")
    needed = [each for each in importlib.metadata.requires("dlbook") if "extra ==" not in each]
    if importlib.util.find_spec("cv2"):  # any of OpenCV's packages will do
        needed = [each for each in needed if not each.startswith("opencv-python")]
    install(*needed)
"""
OPENCV = """

try:
    import cv2
except ImportError as error:
    raise ImportError(f"OpenCV cannot be loaded ({{error}}). " {remedy!r}) from error
"""
# What the site folds.
FOLDED = {"hide-cell", "hide-input"}
HAND_ON = """

# Where files lie that other pages hand on to this one, with their checksums.
import os

os.environ["DLBOOK_LOADS"] = {loads!r}
"""


def to_notebook(
    text: str,
    around: Surroundings,
    repository: str | None,
    commit: str,
    loads: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
    prompt: str = "Show the code",
    opencv: bool = False,
) -> nbformat.NotebookNode:
    """Return a chapter as a notebook without outputs.

    Args:
        text: the chapter's MyST source.
        around: what its prose refers to.
        repository: address that git can fetch the repository from; without it, nothing is installed.
        commit: what to install.
        loads: page → name → address and SHA-256 of the files that `dlbook.pages.load` should find.
        prompt: what a folded cell says that has no text of its own.
        opencv: whether the chapter needs OpenCV.

    Raises:
        NoPlainFormError: the prose has markup without a plain form.
    """
    notebook = jupytext.reads(text, fmt="md:myst")
    defined = definitions(text, around)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(cell.source, around, defined)
            cell.metadata = {}
        else:
            _prepare_code(cell, prompt)
    notebook.cells = [cell for cell in notebook.cells if cell.source]  # a label alone leaves nothing
    if repository:
        install = INSTALL.format(repository=repository, commit=commit).rstrip()
        if opencv:
            install += OPENCV.format(remedy=remedy("%pip")).rstrip()
        if loads:
            install += HAND_ON.format(loads=json.dumps(loads)).rstrip()
        notebook.cells.insert(0, nbformat.v4.new_code_cell(install))
    if around.site:
        origin = f"*The page, with its outputs: <{around.site}{around.docname}.html>*"
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(origin))
    notebook.metadata = {
        "accelerator": "GPU",
        "colab": {"gpuType": "T4", "provenance": []},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # the same source gives the same file
    return notebook


def _prepare_code(cell: nbformat.NotebookNode, prompt: str) -> None:
    """Fold what the site folds, in JupyterLab's and in Colab's way, and drop what only the site reads."""
    folded = FOLDED & set(cell.metadata.get("tags", []))
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", prompt)
    cell.metadata = {}
    if folded:
        cell.source = f"# @title {prompt}\n{cell.source.lstrip()}"
        cell.metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
