"""A checkout lies in any folder, in an environment of its own or of another one: it shows its own package."""

import os
import shutil

from conftest import ROOT
from small_book import Book
from small_runner import lend_environment


def made(book: Book, *arguments: str, **variables: str) -> list[str]:
    """Run make in a book's folder; return the chapters that executed, sorted."""
    book.log.write_text("")
    make = ["make", *arguments]
    outside = {name: "" for name in os.environ if name.startswith("MAKE")}
    assert book.finish(book._start(make, outside | variables)) == 0, book.errors
    return book.executed()


def test_a_book_is_built_in_any_folder_with_an_environment_that_another_checkout_lends(tmp_path):
    """The environment knows the `dlbook` of its own checkout, and the user knows a third one."""
    book = Book(tmp_path / "per%20cent, dol$HOME & it's #1, für dich")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, book.folder)
    lend_environment(tmp_path / "owner")
    (book.folder / ".venv").symlink_to(tmp_path / "owner" / ".venv")
    own = tmp_path / "own" / "dlbook"
    own.mkdir(parents=True)
    (own / "__init__.py").write_text("raise ImportError('of the user')")
    assert made(book, "book", PYTHONPATH=str(own.parent), PYTHONSAFEPATH="1") == ["data", "plain"]
    assert "Chapter plain" in book.page("plain")
    assert made(book, "execute", PYTHONPATH=str(own.parent)) == []


def test_jupyter_book_s_own_command_shows_no_other_checkout_s_numbers(tmp_path):
    book = Book(tmp_path)
    folders = (ROOT / "src", book.folder / "book" / "_ext")
    assert book.fail(PYTHONPATH=os.pathsep.join(map(str, folders))) == []
    assert f"dlbook would be imported from {ROOT}/src/dlbook, and not from this checkout" in book.errors
    assert f"set PYTHONPATH={book.folder}/src" in book.errors
