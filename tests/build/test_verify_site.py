"""What publishing looks at before it deploys: a sound site passes, and each fault alone is named."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from bookbuild.book import Book as BookFolders
from bookbuild.check import site as check
from small_book import FRONT_MATTER, Book

CODE = """from dlbook import results
from dlbook.data import Source
source = Source("mnist", "Some.", is_standin=False, sha256="ab", license="MIT")
results.report(source, accuracy=0.9)
"""
TOO_LARGE = {"device": "cpu", "peak_memory": 2_000_000_000}
PROMISES = "promises:\n  accuracy: {at_least: 0.8}\n"


def problems(folder: Path) -> list[str]:
    return check.problems(BookFolders.at(folder))


def write(book: Book, name: str) -> None:
    """Write a page that promises something, and shows it."""
    book.write(name, CODE, prose="{result}`accuracy:.0%`\n\n:::{promises}\n:::")
    path = book.folder / "book" / "cnn" / f"{name}.md"
    matter = FRONT_MATTER.removesuffix("---\n")
    edit(path, matter, matter + PROMISES)


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A sound site of two chapters."""
    folder = tmp_path_factory.mktemp("site")
    book = Book(folder)
    for name in ("data", "plain"):
        write(book, name)
    (folder / ".gitignore").write_text("_build\n*.log\n__pycache__\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A book")
    book.build(GITHUB_REPOSITORY="someone/book")
    return folder


@pytest.fixture
def site(built, tmp_path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(built, tmp_path / "site"))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def edit_results(site: Path, **changes: object) -> None:
    path = site / "_build" / "results.json"
    results = json.loads(path.read_text())
    results["cnn/plain"]["results"]["accuracy"].update(changes)
    path.write_text(json.dumps(results))


def page(site: Path) -> Path:
    return site / "_build" / "html" / "cnn" / "plain.html"


def without_outputs(site: Path) -> None:
    page(site).write_text(page(site).read_text().replace("cell_output", "cell_nothing"))


def run_with(**provenance: object):
    def note(site: Path) -> None:
        path = site / "_build" / "results.json"
        results = json.loads(path.read_text())
        results["cnn/plain"]["provenance"].update(provenance)
        path.write_text(json.dumps(results))

    return note


def computed_without(name: str):
    def note(site: Path) -> None:
        path = site / "_build" / "results.json"
        results = json.loads(path.read_text())
        results["cnn/plain"]["data"][name] = "stand-in"
        path.write_text(json.dumps(results))

    return note


def in_an_output(text: str):
    def add(site: Path) -> None:
        content = page(site).read_text()
        page(site).write_text(
            re.sub(r'(<div class="cell_output[^>]*>)', rf"\1<pre>{text}</pre>", content, count=1)
        )

    return add


def into_the_article(html: str):
    return lambda site: edit(page(site), "</article>", f"{html}</article>")


def no_promise(site: Path) -> None:
    edit(site / "book" / "cnn" / "plain.md", PROMISES, "")


def another_commit(site: Path) -> None:
    git(site, "commit", "-q", "--allow-empty", "-m", "Later")


def another_notebook(site: Path) -> None:
    edit(page(site), "blob/notebooks/cnn/plain.ipynb", "blob/notebooks/cnn/gone.ipynb")


def into_the_notebook(markdown: str):
    def add(site: Path) -> None:
        path = site / "_build" / "notebooks" / "cnn" / "plain.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.append(nbformat.v4.new_markdown_cell(markdown))
        nbformat.write(notebook, path)

    return add


FAULTS = {
    "a page missing": (lambda site: page(site).unlink(), "cnn/plain has no page"),
    "no outputs": (without_outputs, "cnn/plain shows no output"),
    "a lost figure": (
        lambda site: edit(
            site / "book" / "cnn" / "plain.md",
            "```{code-cell}\n",
            "```{code-cell}\n---\nmystnb: {image: {alt: A curve.}}\n---\n",
        ),
        "cnn/plain shows 0 of its 1 figures",
    ),
    "ran in no time": (run_with(seconds=0), "cnn/plain took no time"),
    "more memory than Binder gives": (run_with(**TOO_LARGE), "cnn/plain held 2.00 GB"),
    "a traceback": (in_an_output("Traceback (most recent call last)"), "cnn/plain shows an error"),
    "a stand-in": (in_an_output("Offline stand-in"), "cnn/plain was computed on a stand-in"),
    "no weights": (computed_without("vgg16"), "cnn/plain was computed without vgg16"),
    "below the floor": (lambda site: edit_results(site, values=[0.7]), "cnn/plain: accuracy is 0.7"),
    "no promise": (no_promise, "cnn/plain promises nothing"),
    "promises not shown": (
        lambda site: edit(page(site), 'class="promises', 'class="hidden'),
        "does not show what it promises",
    ),
    "no results": (lambda site: (site / "_build" / "results.json").unlink(), "cnn/data took no time"),
    "a dead link": (into_the_article('<a href="gone.html">x</a>'), "leads to gone.html"),
    "a dead link from the root": (into_the_article('<a href="/book/gone.html">x</a>'), "leads to /book/gone"),
    "a dead anchor": (into_the_article('<a href="data.html#gone">x</a>'), "leads to data.html#gone"),
    "a lost image": (into_the_article('<img src="../gone.png">'), "leads to ../gone.png"),
    "another host": (
        into_the_article('<img src="https://example.org/x.png" alt="a picture">'),
        "cnn/plain.html asks another host for https://example.org/x.png",
    ),
    "another host's font": (
        lambda site: (site / "_build" / "html" / "_static" / "x.css").write_text("a {src: url('//x.org/f')}"),
        "_static/x.css asks another host for //x.org/f",
    ),
    "another commit": (another_commit, "cnn/plain.html was built from"),
    "no repository": (
        lambda site: shutil.rmtree(site / ".git"),
        "nobody can tell which commit the pages were built from: fatal: not a git repository",
    ),
    "no notebook": (
        lambda site: (site / "_build" / "notebooks" / "cnn" / "plain.ipynb").unlink(),
        "cnn/plain has no notebook",
    ),
    "a broken notebook": (
        lambda site: (site / "_build" / "notebooks" / "cnn" / "plain.ipynb").write_text("{"),
        "cnn/plain has no notebook that can be read",
    ),
    "a button to nowhere": (another_notebook, "names a notebook that is not there"),
    "raw markup in a notebook": (into_the_notebook("{kbd}`x`"), "the notebook of cnn/plain shows a role"),
    "a notebook's relative link": (into_the_notebook("[x](data.md)"), "shows a relative address: data.md"),
    "a notebook's dead link": (
        into_the_notebook("[x](https://someone.github.io/book/cnn/gone.html)"),
        "the notebook of cnn/plain leads to https://someone.github.io/book/cnn/gone.html",
    ),
    "a notebook's dead anchor": (
        into_the_notebook("[x](https://someone.github.io/book/cnn/data.html#gone)"),
        "leads to https://someone.github.io/book/cnn/data.html#gone",
    ),
    "no site": (lambda site: shutil.rmtree(site / "_build"), "there is no site"),
}


def test_a_sound_site_passes(built):
    assert problems(built) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(site, fault):
    spoil, message = FAULTS[fault]
    spoil(site)
    found = problems(site)
    assert any(message in problem for problem in found), found


def test_below_a_topic_s_first_page_one_may_take_more_memory(site):
    run_with(**TOO_LARGE)(site)
    toc = site / "_toc.yml"
    edit(toc, "- file: cnn/plain\n", "  sections:\n  - file: cnn/plain\n")
    assert "cnn/plain held" not in "".join(problems(site))


def test_a_figure_that_a_page_only_writes_about_is_not_missed(site):
    note = "# Chapter plain\n\n```yaml\nmystnb:\n  image:\n    alt: A curve.\n```"
    edit(site / "book" / "cnn" / "plain.md", "# Chapter plain", note)
    assert problems(site) == []


def test_no_repository_means_no_launch_button_which_publishing_refuses(tmp_path):
    book = Book(tmp_path)
    for name in ("data", "plain"):
        write(book, name)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "A book")
    book.build(GITHUB_REPOSITORY="")
    assert "cnn/plain has no launch button" in problems(tmp_path)
