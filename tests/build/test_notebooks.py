"""The notebooks that a build writes, and the buttons that open them."""

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from bookbuild.render.launch import author_year, launch_addresses
from bs4 import BeautifulSoup
from pybtex.database import Entry, Person
from rendered_book import RenderedBook
from small_book import Book
from stand_in import stand_in
from test_workflows import git


def test_labels_of_sources():
    def entry(*names):
        return Entry("article", fields={"year": "2001"}, persons={"author": [Person(name) for name in names]})

    assert author_year(entry("Ada Byron")) == "Byron, 2001"
    assert author_year(entry("Ada Byron", "Guido van Rossum")) == "Byron & van Rossum, 2001"
    assert author_year(entry("Ada Byron", "B C", "D E")) == "Byron et al., 2001"


def test_binder_s_address_survives_its_two_levels_of_quoting():
    address = urlsplit(launch_addresses("someone", "book", "cnn/one")["Binder"])
    assert address.path == "/v2/gh/someone/book/binder"
    pull = urlsplit(parse_qs(address.query)["urlpath"][0])
    assert pull.path == "git-pull"
    assert {key: values[0] for key, values in parse_qs(pull.query).items()} == {
        "repo": "https://github.com/someone/book",
        "branch": "notebooks",
        "urlpath": "lab/tree/book/cnn/one.ipynb",
    }


def test_a_build_writes_notebooks_and_buttons_of_the_repository(tmp_path):
    book = Book(tmp_path)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A book"]):
        git(tmp_path, *command)
    book.build(GITHUB_REPOSITORY="someone/fork")
    notebooks = tmp_path / "_build" / "notebooks"
    assert sorted(path.name for path in notebooks.rglob("*.ipynb")) == ["data.ipynb", "plain.ipynb"]
    assert (
        f"someone/fork@{git(tmp_path, 'rev-parse', 'HEAD')}" in (notebooks / "cnn" / "data.ipynb").read_text()
    )
    links = [str(link["href"]) for link in BeautifulSoup(book.page("plain"), "html.parser").select("a[href]")]
    assert "https://colab.research.google.com/github/someone/fork/blob/notebooks/cnn/plain.ipynb" in links
    assert "https://github.com/someone/fork/raw/notebooks/cnn/plain.ipynb" in links
    assert any("mybinder.org/v2/gh/someone/fork/binder" in unquote(link) for link in links)
    assert any(re.search(r"someone/fork/edit/main/book/cnn/plain\.md", link) for link in links)
    assert any("someone/fork/issues/new" in link for link in links)

    # A chapter that is gone leaves no notebook; without a repository there is nothing to open.
    (tmp_path / "book" / "cnn" / "plain.md").unlink()
    toc = tmp_path / "_toc.yml"
    toc.write_text(toc.read_text().replace("- file: cnn/plain\n", ""))
    book.build(GITHUB_REPOSITORY="")
    assert [path.name for path in notebooks.rglob("*.ipynb")] == ["data.ipynb"]
    assert "colab.research" not in book.page("data")
    assert "git+" not in (notebooks / "cnn" / "data.ipynb").read_text()


def let_git_distrust(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let git take every checkout for somebody else's, as it does for the root of a container."""
    lines = f'GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {shutil.which("git")} "$@"'
    stand_in(folder, "git", lines, monkeypatch)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")


@pytest.mark.quick
@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("named", ["someone/fork", ""])
def test_where_git_distrusts_a_checkout_the_build_says_so_and_notebooks_install_nothing(
    tmp_path, monkeypatch, trusted, named
):
    """Rather than whatever HEAD is on the day."""
    monkeypatch.setenv("GITHUB_REPOSITORY", named)
    book = RenderedBook(tmp_path / "book")
    book.write_chapter("one", "Some prose.")
    remote = ["remote", "add", "origin", "https://github.com/someone/fork"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A book"], remote):
        git(book.folder, *command)
    at = git(book.folder, "rev-parse", "HEAD")
    if not trusted:
        let_git_distrust(tmp_path, monkeypatch)
    book.compute("one", {})
    assert book.build() == ""
    notebook = (book.folder / "_build" / "notebooks" / "one.ipynb").read_text()
    assert (f"git+https://github.com/someone/fork@{at}" in notebook) == trusted
    assert ("git+" in notebook) == trusted
    assert "HEAD" not in notebook
    assert ("dubious ownership" in book.said) != trusted
    assert ("safe.directory" in book.said) != trusted


def test_prose_that_no_notebook_can_show_fails_the_build(tmp_path):
    book = Book(tmp_path)
    book.write("plain", "import torch\nfrom dlbook import initial\nprint('plain')", prose="{kbd}`Ctrl`")
    assert book.fail() == ["data", "plain"]
    assert "no notebook for cnn/plain: cnn/plain: the role kbd has no plain form" in book.errors
