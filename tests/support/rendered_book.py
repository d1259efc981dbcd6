"""A small book whose pages need no execution: their outputs lie in the cache already, as a build leaves them.

So what the extension renders is tested in process, by Sphinx's own test application, in a second or two.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import yaml
from bookbuild.book import Book
from bookbuild.run.cache import FILES, RECORD, ExecutionCache
from bookbuild.run.keys import Keys
from conftest import ROOT
from PIL import Image
from small_book import FRONT_MATTER
from sphinx.testing.util import SphinxTestApp

from dlbook.data import Source
from dlbook.record import Provenance, Record, Result, SavedFile

CONFIG = """
extensions = {extensions}
external_toc_path = "../_toc.yml"
nb_execution_mode = "cache"
nb_render_markdown_format = "{markdown}"
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
html_math_renderer = "{formulas}"
numfig = True
numfig_format = {figures}
templates_path = ["{templates}"]
bibtex_bibfiles = []
html_theme = "sphinx_book_theme"
"""
MNIST = Source("mnist", "The original files.", is_standin=False, sha256="ab" * 32, license="MIT")
PROVENANCE = Provenance(
    device="cpu",
    device_name="A processor",
    matmul_precision="medium",
    torch="2.9",
    python="3.11",
    commit="c0ffee" * 6 + "c0ff",
    executed="2026-01-02T03:04:05+00:00",
    peak_gpu_memory=0,
    data=(MNIST,),
    seconds=90.0,
    peak_memory=1_230_000_000,
)
SUM = {"text/plain": "2"}
# A picture of one pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def png(pixels: np.ndarray) -> str:
    """Return pixels, uint8 (H, W) or (H, W, 3), as a cell would put out a picture of them."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


class RenderedBook:
    """A book in a folder of its own, with a first page and pages with cells.

    Args:
        folder: an empty one.

    Attributes:
        said: by the last build, but for its warnings.
    """

    said = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "book"
        self.source.mkdir(parents=True)
        (self.source / "conf.py").write_text(_config())
        self.names = ["index"]
        self.write("index", "# First page\n")

    def write(self, name: str, text: str) -> None:
        """Write a page without cells."""
        path = self.source / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self._list(name)

    def write_chapter(self, name: str, prose: str, promises: str = "", behind: str = "") -> None:
        """Write a page with one cell and text ``behind`` it; ``promises`` is indented YAML."""
        said = f"promises:\n{promises}" if promises else ""
        cell = "```{code-cell}\n1 + 1\n```\n"
        matter = f"{FRONT_MATTER.removesuffix('---' + chr(10))}{said}---\n"
        text = f"{matter}\n# Chapter {name}\n\n{prose}\n\n{cell}{behind}"
        (self.source / f"{name}.md").write_text(text)
        self._list(name)

    def write_code(self, name: str, code: str) -> None:
        """Write a page of one cell with that code."""
        self.write(name, f"{FRONT_MATTER}\n# {name}\n\n```{{code-cell}}\n{code}\n```\n")

    def _list(self, name: str) -> None:
        if name not in self.names:
            self.names.append(name)
        chapters = "".join(f"- file: {each}\n" for each in self.names[1:])
        toc = "format: jb-book\nroot: index\n" + (f"chapters:\n{chapters}" if chapters else "")
        (self.folder / "_toc.yml").write_text(toc)

    @property
    def book(self) -> Book:
        """The book, read anew."""
        return Book(self.folder, self.source, self.folder / "_build", self.folder / "_toc.yml")

    def compute(
        self,
        name: str,
        results: Mapping[str, Result],
        provenance: Provenance = PROVENANCE,
        files: Mapping[str, bytes] | None = None,
        shown: Sequence[Mapping[str, str]] = (SUM,),
    ) -> None:
        """Put a chapter's outputs into the cache, as if its cell had been executed and had shown these."""
        book = self.book
        notebook = Keys(book).notebook(name)
        (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code"]
        notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
        cell.execution_count = 1
        cell.outputs = [
            nbformat.v4.new_output("execute_result", dict(output), execution_count=1) for output in shown
        ]
        artifacts = self.folder / "artifacts"
        (artifacts / FILES).mkdir(parents=True, exist_ok=True)
        saved = {}
        for file, content in (files or {}).items():
            (artifacts / FILES / file).write_bytes(content)
            saved[Path(file).stem] = SavedFile(file, _sha256(content))
        (artifacts / RECORD).write_text(Record(results, provenance, saved).to_json())
        ExecutionCache(book.cache_folder).store(book.pages[name].path, notebook, artifacts, 90.0)

    def build(self, builder: str = "html") -> str:
        """Build the site, or what else a builder of Sphinx's writes; return what Sphinx warned of."""
        app = SphinxTestApp(
            srcdir=self.source,
            builddir=self.folder / "_build",
            buildername=builder,
            freshenv=False,
        )
        try:
            app.build()
            self.said = app.status.getvalue()
            return app.warning.getvalue()
        finally:
            app.cleanup()

    def page(self, name: str) -> str:
        """Return a page as HTML."""
        return (self.folder / "_build" / "html" / f"{name}.html").read_text()

    @property
    def results(self) -> dict:
        """What the build gathered."""
        return json.loads((self.folder / "_build" / "results.json").read_text())


def _config() -> str:
    """Return the book's ``conf.py``."""
    return CONFIG.format(
        extensions=setting("extensions"),
        markdown=setting("nb_render_markdown_format"),
        formulas=setting("html_math_renderer"),
        figures=setting("numfig_format"),
        templates=ROOT / "book" / "_templates",
    )


def setting(name: str) -> Any:
    """Return what the book's own configuration tells Sphinx."""
    return yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"][name]


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()
