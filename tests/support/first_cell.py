"""The first cell of a notebook, which installs the book's package."""

from bookbuild.render.notebooks import to_notebook
from bookbuild.render.surroundings import Surroundings
from small_book import FRONT_MATTER

CHAPTER = f"{FRONT_MATTER}\n# A chapter\n\n```{{code-cell}}\nprint(1)\n```\n"


def first_cell(needs_opencv: bool = False) -> str:
    """Return the code of the first cell of a page's notebook."""
    around = Surroundings("cnn/one", site="", number=str, provenance=str, myst=(), references={})
    notebook = to_notebook(CHAPTER, around, "https://github.com/a/b", "c0ffee", opencv=needs_opencv)
    return notebook.cells[0].source
