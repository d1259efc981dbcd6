"""Chapters as notebooks, and the buttons that open them."""

import re
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from dlbook_notebooks import author_year, launch_addresses
from notebooks import NoPlainFormError, Surroundings, plain_markdown, to_notebook
from pybtex.database import Entry, Person
from small_book import FRONT_MATTER, Book


@pytest.fixture
def around() -> Surroundings:
    return Surroundings(
        docname="cnn/one",
        site="https://someone.github.io/book/",
        glued={"accuracy": "98.7%", "cnn/two.md::loss": "0.1"},
        references={"a": ("Rose, 1999", "Rose. *Title*."), "b": ("Lily & Iris, 2001", "Lily. *Other*.")},
    )


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ("It is {glue:text}`accuracy`.", "It is 98.7%."),
        ("Loss {glue:text}`cnn/two.md::loss:s`.", "Loss 0.1."),
        ("Known {footcite:p}`a, b`.", "Known (Rose, 1999; Lily & Iris, 2001)."),
        ("See [two](two.md#how).", "See [two](https://someone.github.io/book/cnn/two.html#how)."),
        ("See [it](../about/results.md).", "See [it](https://someone.github.io/book/about/results.html)."),
        (
            "See {doc}`that </about/results>`.",
            "See [that](https://someone.github.io/book/about/results.html).",
        ),
        ("[site](https://example.org/a.md)", "[site](https://example.org/a.md)"),
        ("```{math}\n:label: one\n\nx = 1\n```", "$$\nx = 1\n$$"),
        (":::{admonition} Mind\n:class: tip\n\nA *b*\n:::", "> **Mind**\n>\n> A *b*"),
        (":::{note}\nA\n:::", "> **Note**\n>\n> A"),
        (
            "::::{admonition} Out\n:::{dropdown} In\nX\n:::\n::::",
            "> **Out**\n>\n> <details>\n> <summary>In</summary>\n>\n> X\n>\n> </details>",
        ),
        ("(label)=\n# Title\n% remark", "# Title"),
        ("```python\n{glue:text}`left alone`\n```", "```python\n{glue:text}`left alone`\n```"),
    ],
)
def test_myst_becomes_plain_markdown(around, myst, plain):
    assert plain_markdown(myst, around) == plain


def test_sources_are_listed_in_the_order_of_their_citation(around):
    text = plain_markdown(
        "{footcite:p}`b` {footcite:p}`a` {footcite:p}`b`\n\n:::{footbibliography}\n:::", around
    )
    assert text.endswith("- Lily. *Other*.\n- Rose. *Title*.")


@pytest.mark.parametrize(
    ("myst", "named"),
    [
        (":::{mermaid}\nx\n:::", "mermaid"),
        ("{kbd}`x`", "kbd"),
        ("{glue:text}`absent`", "absent"),
        ("{footcite:p}`nobody2000`", "nobody2000"),
        (":::{note}\nnever closed", "not closed"),
    ],
)
def test_markup_without_a_plain_form_is_refused(around, myst, named):
    with pytest.raises(NoPlainFormError, match=named):
        plain_markdown(myst, around)


def test_the_notebook_is_what_colab_and_jupyterlab_want(around):
    text = FRONT_MATTER + "\n# T\n\n```{code-cell}\n---\ntags: [hide-cell]\n---\nx = 1\n```\n"
    notebook = to_notebook(text, around, "https://github.com/someone/book", "c0ffee")
    nbformat.validate(notebook)
    install, solution = (cell for cell in notebook.cells if cell.cell_type == "code")
    assert "git+https://github.com/someone/book@c0ffee" in install.source
    assert solution.source.startswith("# @title")
    assert solution.metadata == {"cellView": "form", "jupyter": {"source_hidden": True}}
    assert notebook.metadata["accelerator"] == "GPU"
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert "fingerprint" not in nbformat.writes(notebook)
    assert all(cell.outputs == [] for cell in (install, solution))
    assert nbformat.writes(notebook) == nbformat.writes(
        to_notebook(text, around, "https://github.com/someone/book", "c0ffee")
    )


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
    book.build(GITHUB_REPOSITORY="someone/fork")
    notebooks = tmp_path / "_build" / "notebooks"
    assert sorted(path.name for path in notebooks.rglob("*.ipynb")) == ["data.ipynb", "plain.ipynb"]
    assert "someone/fork@" in (notebooks / "cnn" / "data.ipynb").read_text()
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


def test_prose_that_no_notebook_can_show_fails_the_build(tmp_path):
    book = Book(tmp_path)
    book.write("plain", "import torch\nfrom dlbook import initial\nprint('plain')", prose="{kbd}`Ctrl`")
    assert book.fail() == ["data", "plain"]
    assert "no notebook for cnn/plain: cnn/plain: the role kbd has no plain form" in book.errors
