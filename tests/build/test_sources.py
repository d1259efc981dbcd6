"""What is a page with cells: as myst-nb's own reader has it; else an error that names page and remedy."""

from pathlib import Path

import pytest
from bookbuild.book import Book, BookError, Page
from bookbuild.run.keys import with_fingerprint

pytestmark = pytest.mark.quick

KERNEL = "kernelspec: {name: python3, display_name: Python 3}"
BODY = "\n# Title\n\n```{code-cell}\nprint(1)\n```\n"


def book_of(folder: Path, page: bytes, file: str = "page.md") -> Book:
    """Return a book of one page."""
    (folder / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    (folder / "book").mkdir()
    (folder / "book" / file).write_bytes(page)
    return Book(folder, folder / "book", folder / "_build", folder / "_toc.yml")


@pytest.mark.parametrize(
    "matter",
    [
        f"---\nfile_format: mystnb\n{KERNEL}\n---\n",
        f"--- \nfile_format: mystnb\n{KERNEL}\n---\t\n",
        f"---\n{{jupytext: {{text_representation: {{format_name: myst}}}}, {KERNEL}}}\n---\n",
        f"---\nfile_format: mystnb\ndate: 2024-02-29\n{KERNEL}\n---\n",
    ],
    ids=["block", "spaces", "flow", "date"],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order mark"])
def test_a_page_keeps_its_cells_its_lines_and_its_fingerprint(tmp_path, matter, mark):
    page = book_of(tmp_path, mark + (matter + BODY).encode()).notebooks["page"]
    assert page.code == ["print(1)"]
    marked = Page("page", page.path, with_fingerprint(page, {"device": "cpu"}))
    assert marked.source.count("\n") == page.source.count("\n")
    assert marked.notebook().metadata.kernelspec == page.notebook({"device": "cpu"}).metadata.kernelspec


@pytest.mark.parametrize(
    "matter",
    [
        "---\nfile_format: mystnb\n---\n",
        "---\nfile_format: mystnb\nkernelspec:\n---\n",
        "---\nfile_format: mystnb\nkernelspec: python3\n---\n",
        "---\njupytext:\n---\n",
        f"---\nfile_format: mystnb\n{KERNEL}\n...\n",
        f"----\nfile_format: mystnb\n{KERNEL}\n----\n",
    ],
    ids=["no kernel", "empty kernel", "kernel without a name", "empty jupytext", "dots", "four dashes"],
)
def test_front_matter_that_says_too_little_is_named_with_the_remedy(tmp_path, matter):
    book = book_of(tmp_path, (matter + BODY).encode())
    with pytest.raises(BookError, match=r"page\.md cannot be read as a notebook: .*file_format: mystnb"):
        print([page.code for page in book.notebooks.values()])


def test_a_notebook_of_jupyter_s_own_form_is_named_with_the_remedy(tmp_path):
    book = book_of(tmp_path, b"{}", file="page.ipynb")
    with pytest.raises(BookError, match=r"jupytext --to myst page\.ipynb"):
        print(book.pages)


def test_a_page_in_another_encoding_is_named(tmp_path):
    with pytest.raises(BookError, match=r"page\.md is not UTF-8.*save it as UTF-8"):
        print(book_of(tmp_path, "# Käse\n".encode("latin-1")).pages)


def test_pages_that_the_contents_name_by_a_pattern_are_asked_for_by_name(tmp_path):
    """Sphinx would build them, and execute them by itself: without a key, and in the reader's own folder."""
    book = book_of(tmp_path, b"# Title\n")
    book.toc.write_text("format: jb-book\nroot: page\nchapters:\n- glob: more/*\n")
    with pytest.raises(BookError, match=r"by a pattern \(more/\*\): list each by its name"):
        print(book.pages)
