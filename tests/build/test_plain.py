"""A chapter's text as Colab and JupyterLab show it, and the search for what they would show raw."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from bookbuild.book import Book
from bookbuild.check.leaks import leaks
from bookbuild.render.notebooks import to_notebook
from bookbuild.render.plain import plain_markdown
from bookbuild.render.surroundings import NoPlainFormError, Place, Surroundings
from conftest import ROOT, chapter_paths
from small_book import FRONT_MATTER

SITE = "https://someone.github.io/book/"
NUMBERS = {"accuracy": "98.7%", "accuracy:.0%": "99%", "cnn/two::loss:.1f": "0.1", "starred": "1 * 2 * 3 $"}


def surroundings(site: str = SITE) -> Surroundings:
    return Surroundings(
        docname="cnn/one",
        site=site,
        number=NUMBERS.__getitem__,
        provenance={"minutes:.1f": "2.5"}.__getitem__,
        myst=Book.at(ROOT).settings.myst,
        references={"a": ("Rose, 1999", "Rose. *Title*."), "b": ("Lily & Iris, 2001", "Lily. *Other*.")},
        titles={"cnn/two": "Two *", "about/results": "Results"},
        places={
            "how": Place("cnn/two", "how-it-works", "How it works"),
            "equation-gain": Place("cnn/one", "equation-gain", "(3)"),
            "figure-fig-dots": Place("cnn/two", "fig-dots", "Figure 2.1"),
        },
    )


INLINE = [
    ("It is {result}`accuracy`.", "It is 98.7%."),
    ("It is {result}`accuracy:.0%`.", "It is 99%."),
    ("Loss {result}`cnn/two::loss:.1f`.", "Loss 0.1."),
    ("It took {provenance}`minutes:.1f` minutes.", "It took 2.5 minutes."),
    ("- *{result}`accuracy`*\n- b", "- *98.7%*\n- b"),
    ("{result}`starred`", r"1 * 2 * 3 \$"),
    ("Known {footcite:p}`a, b`.", "Known (Rose, 1999; Lily & Iris, 2001)."),
    ("As {footcite:t}`a` says", "As Rose (1999) says"),
    ("A {term}`filter`, {term}`filters <filter>`", "A filter, filters"),
    ("{math}`x^2`, $a +\nb$ for \\$5", r"$x^2$, $a + b$ for \$5"),
    ("In {numref}`fig-dots`", f"In [Figure 2.1]({SITE}cnn/two.html#fig-dots)"),
    ("By {eq}`gain`", f"By [(3)]({SITE}cnn/one.html#equation-gain)"),
    ("A foot[^n].\n\n[^n]: Below {result}`accuracy`.", "A foot<sup>n</sup>.\n\n<sup>n</sup> Below 98.7%."),
    ("`{result}` and `` a`b ``, *b* **c** <br>", "`{result}` and `` a`b ``, *b* **c** <br>"),
]
LINKS = [
    ("[two](two.md#how)", f"[two]({SITE}cnn/two.html#how)"),
    ('[two](two.md "A *title*")', f'[two]({SITE}cnn/two.html "A *title*")'),
    ("[it](../about/results.md)", f"[it]({SITE}about/results.html)"),
    ("[it](/about/results.md)", f"[it]({SITE}about/results.html)"),
    ("[it *is*\nthere](two.md)", f"[it *is*\nthere]({SITE}cnn/two.html)"),
    ("[{result}`accuracy`](two.md)", f"[98.7%]({SITE}cnn/two.html)"),
    ("[](two.md)", rf"[Two \*]({SITE}cnn/two.html)"),
    ("<project:two.md>", rf"[Two \*]({SITE}cnn/two.html)"),
    ("[x](project:two.md#a)", f"[x]({SITE}cnn/two.html#a)"),
    (
        "[x](#how), [](#how)",
        f"[x]({SITE}cnn/two.html#how-it-works), [How it works]({SITE}cnn/two.html#how-it-works)",
    ),
    ("[the second][2]\n\n[2]: two.md", f"[the second]({SITE}cnn/two.html)"),
    ("{doc}`that </about/results>`", f"[that]({SITE}about/results.html)"),
    ("{doc}`two`", rf"[Two \*]({SITE}cnn/two.html)"),
    (
        "{ref}`how`, {ref}`so <how>`",
        f"[How it works]({SITE}cnn/two.html#how-it-works), [so]({SITE}cnn/two.html#how-it-works)",
    ),
    ("[site](https://example.org/a.md)", "[site](https://example.org/a.md)"),
    ("https://example.org/a_b_c", "<https://example.org/a_b_c>"),
    ("<https://example.org>", "<https://example.org>"),
    ("See book.md", "See book.md"),
    ("![A *dog*](../pictures/dog.png)", f"![A *dog*]({SITE}_images/dog.png)"),
    ("![](https://example.org/dog.png)", "![](https://example.org/dog.png)"),
]
BLOCKS = [
    ("```{math}\n:label: gain\n\nx = 1\n```", "$$\nx = 1\n\\tag*{(3)}\n$$"),
    ("```{math}\na \\\\\nb\n```", "$$\n\\begin{split}\na \\\\\nb\n\\end{split}\n$$"),
    ("```{math}\na\n\nb\n```", "$$\n\\begin{gathered}\na \\\\\nb\n\\end{gathered}\n$$"),
    ("$$\nx\n$$", "$$\nx\n$$"),
    ("$$x$$ (gain)", "$$\nx\n\\tag*{(3)}\n$$"),
    (
        "\\begin{align}\nx &= 1 \\\\\ny &= 2\n\\end{align}",
        "$$\n\\begin{align}\nx &= 1 \\\\\ny &= 2\n\\end{align}\n$$",
    ),
    (":::{admonition} Mind {result}`accuracy`\n:class: tip\n\nA *b*\n:::", "> **Mind 98.7%**\n>\n> A *b*"),
    (":::{note}\nA\n:::", "> **Note**\n>\n> A"),
    (":::{margin}\nA *b*\n\n$$\na\n$$\n:::", "> A *b*\n>\n> $$ a $$"),
    (":::{seealso} A\n:::", "> **See also**\n>\n> A"),
    ("```{tip}\n---\nclass: x\n---\nA\n```", "> **Tip**\n>\n> A"),
    (":::{note}\n$$\na\n= b\n$$\n:::", "> **Note**\n>\n> $$ a = b $$"),
    ("> $$\n> a\n> = b\n> $$", "> $$ a = b $$"),
    (
        "::::{admonition} Out\n:::{dropdown} In $x$\nX\n:::\n::::",
        "> **Out**\n>\n> <details>\n> <summary>In $x$</summary>\n>\n> X\n>\n> </details>",
    ),
    (
        ":::{admonition} More\n:class: dropdown\nX\n:::",
        "<details>\n<summary>More</summary>\n\nX\n\n</details>",
    ),
    ("- a\n\n  :::{note}\n  {result}`accuracy`\n  :::", "- a\n\n  > **Note**\n  >\n  > 98.7%"),
    ("1. a\n2. ```{math}\n   x\n   ```", "1. a\n2. $$\n   x\n   $$"),
    ("(label)=\n# Title\n% remark\n+++\nText", "# Title\n\nText"),
    ("```python\n{result}`left alone`\n```", "```python\n{result}`left alone`\n```"),
    ("    (code)=", "```\n(code)=\n```"),
    ("Term\n: Said {result}`accuracy`\n\n  More", "**Term**\n\n- Said 98.7%\n\n  More"),
    (
        "|a|b|\n|-|:-:|\n|{result}`accuracy`|$\\|x\\|$ `\\|`|",
        "| a | b |\n| --- | :-: |\n| 98.7% | $\\vert x\\vert $ `\\|` |",
    ),
    (
        ":::{figure} ../pictures/dog.png\n:alt: A dog\n\nSeen [here](two.md)\n:::",
        f"![A dog]({SITE}_images/dog.png)\n\nSeen [here]({SITE}cnn/two.html)",
    ),
    ("```{image} dog.png\n:alt: A dog\n```", f"![A dog]({SITE}_images/dog.png)"),
    (":::{caption} fig-dots\nDots at {result}`accuracy`.\n:::", "**Figure 2.1.** Dots at 98.7%."),
    (":::{promises}\n:::", ""),
    (":::{page-figure} cnn/two\n:number: 2\n:::", ""),
    (
        "```{playground} draw-digit\nA *pad*.\n```",
        f"*There is a playground here: draw-digit. It runs on [the page]({SITE}cnn/one.html#draw-digit).*"
        "\n\nA *pad*.",
    ),
    ("---\n\na\n\n---\n\nb", f"{'_' * 70}\n\na\n\n{'_' * 70}\n\nb"),
]


@pytest.mark.parametrize(("myst", "plain"), INLINE + LINKS + BLOCKS)
def test_myst_becomes_plain_markdown(myst, plain):
    around = surroundings()
    assert plain_markdown(myst, around) == plain
    assert list(leaks(plain)) == []


def test_a_role_may_be_broken_over_two_lines():
    text = plain_markdown("Of {footcite:p}`a,\n  b` and {doc}`the\nsecond <two>`", surroundings())
    assert text == f"Of (Rose, 1999; Lily & Iris, 2001) and [the second]({SITE}cnn/two.html)"


@pytest.mark.parametrize(
    ("myst", "plain"),
    [
        ('[*two*](two.md#how "t")', "*two*"),
        ("[](two.md)", r"Two \*"),
        ("{doc}`that </about/results>`", "that"),
        ("![A dog](dog.png)", "*A dog*"),
        (":::{figure} dog.png\n:alt: A dog\n\nSeen\n:::", "*A dog*\n\nSeen"),
        ("By {eq}`gain`", "By (3)"),
    ],
)
def test_without_a_site_the_texts_remain(myst, plain):
    assert plain_markdown(myst, surroundings(site="")) == plain


def test_sources_are_listed_in_the_order_of_their_citation():
    cited = "{footcite:p}`b` {footcite:p}`a` {footcite:p}`b`\n\n:::{footbibliography}\n:::"
    assert plain_markdown(cited, surroundings()).endswith("- Lily. *Other*.\n- Rose. *Title*.")


@pytest.mark.parametrize(
    ("myst", "named"),
    [
        (":::{mermaid}\nx\n:::", "mermaid"),
        (":::bare\nx\n:::", "bare"),
        ("{kbd}`x`", "kbd"),
        ("{result}`absent:.1f`", "absent"),
        ("{provenance}`absent`", "absent"),
        ("{footcite:p}`nobody2000`", "nobody2000"),
        ("{ref}`nowhere`", "nowhere"),
        ("[](#nowhere)", "nowhere"),
        ("[x](two.txt)", "two.txt"),
        ("[](gone.md)", "gone"),
        ("{{ someone }}", "someone"),
        (":::{note}\nnever closed", "not closed"),
        (":::{note}\n{kbd}`x`\n:::", "kbd"),
    ],
)
def test_markup_without_a_plain_form_is_refused(myst, named):
    with pytest.raises(NoPlainFormError, match=rf"cnn/one.*{named}"):
        plain_markdown(myst, surroundings())


def test_what_a_page_defines_holds_in_all_its_cells():
    cell = "\n\n```{code-cell}\n1\n```\n\n"
    text = f"See [there] and below[^a].{cell}[there]: two.md\n\n[^a]: Indeed."
    notebook = to_notebook(text, surroundings(), None, "c0ffee")
    assert notebook.cells[1].source == f"See [there]({SITE}cnn/two.html) and below<sup>a</sup>."
    assert notebook.cells[-1].source == "<sup>a</sup> Indeed."


@pytest.mark.parametrize("tag", ["hide-cell", "hide-input"])
def test_the_notebook_is_what_colab_and_jupyterlab_want(tag):
    text = f"{FRONT_MATTER}\n# T\n\n```{{code-cell}}\n---\ntags: [{tag}]\n---\nx = 1\n```\n\n(end)=\n"
    notebook = to_notebook(text, surroundings(), "https://github.com/someone/book", "c0ffee")
    nbformat.validate(notebook)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "markdown", "code"]
    install, solution = (cell for cell in notebook.cells if cell.cell_type == "code")
    assert "git+https://github.com/someone/book@c0ffee" in install.source
    assert solution.source.startswith("# @title")
    assert solution.metadata == {"cellView": "form", "jupyter": {"source_hidden": True}}
    assert notebook.metadata["accelerator"] == "GPU"
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert "fingerprint" not in nbformat.writes(notebook)
    assert all(cell.outputs == [] for cell in (install, solution))
    assert nbformat.writes(notebook) == nbformat.writes(
        to_notebook(text, surroundings(), "https://github.com/someone/book", "c0ffee")
    )


@pytest.mark.parametrize(
    ("markdown", "seen"),
    [
        ("It is {result}`accuracy`.", "role"),
        ("It is\n{footcite:p}`a,\nb`.", "role"),
        (":::{note}\nA\n:::", "directive"),
        ("- a\n\n  ```{math}\n  x\n  ```", "directive"),
        ("(label)=\n# A", "label"),
        ("{{ x }}", "substitution"),
        ("a[^b]", "footnote"),
        ("[two](two.md)", "relative"),
        ("| a |\n|---|\n| [two](two.md#how 't') |", "relative"),
        ("> [two][2]\n\n[2]: two.md", "relative"),
        ("![dog](../dog.png)", "relative"),
        ("[two](the second.md)", "link"),
    ],
)
def test_raw_markup_is_found(markdown, seen):
    assert any(seen in leak for leak in leaks(markdown))


@pytest.mark.parametrize(
    "markdown",
    [
        "`{result}` and ``{result}`a` ``",
        "```\n:::{note}\n[two](two.md)\n```",
        "$$\n\\frac{a}{b}[c](d)\n$$",
        "A set {a, b} and $\\{x\\}$ `c`, [x](https://example.org/a.md), <mailto:a@example.org>",
    ],
)
def test_code_and_formulas_are_no_leaks(markdown):
    assert list(leaks(markdown)) == []


class Anything(dict):
    """A mapping in which every key is."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def __contains__(self, key):
        return True

    def __missing__(self, key):
        return self.value


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text)


def prose(path: Path) -> str:
    """Return a chapter's text without its markup, found line by line."""
    cells = jupytext.reads(path.read_text(encoding="utf-8"), fmt="md:myst").cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    text = re.sub(r"^[:`]{3,}\{(page-figure|caption)\} .*$", "", text, flags=re.MULTILINE)
    said = r"There is a playground here: \1. It runs on the page."
    text = re.sub(r"^[:`]{3,}\{playground\} (.*)$", said, text, flags=re.MULTILINE)
    text = re.sub(r"^[:`]{3,}\{(note|tip)\}", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^[:`]{3,}\{[\w-]+\}|^:[\w-]+:.*$|^\([\w-]+\)=$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\{(?:term|ref|doc)\}`([^`<]+?)\s*<[^`>]+>`|\{term\}`([^`<]+)`", r"\1\2", text)
    return re.sub(r"\{[\w:-]+\}`[^`]*`|(?<=\])\([^)\s]+\)", "", text)


@pytest.mark.parametrize("path", chapter_paths(), ids=lambda path: path.stem)
def test_the_chapters_lose_no_word_and_show_no_markup(path):
    around = Surroundings(
        docname=path.relative_to(ROOT / "book").with_suffix("").as_posix(),
        site="",
        number=lambda content: "7",
        provenance=lambda content: "8",
        myst=Book.at(ROOT).settings.myst,
        references=Anything(("0, 1", "9")),
        titles=Anything(""),
        places=Anything(Place("cnn/two", "a", "(1)")),
    )
    notebook = to_notebook(path.read_text(encoding="utf-8"), around, None, "c0ffee")
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    shown = "\n\n".join(texts)
    assert [leak for text in texts for leak in leaks(text)] == []
    plain = re.sub(r"</?(details|summary)>|\\tag\*|(?<=\])\([^)\s]+\)", "", shown)
    assert words(plain) == words(prose(path))
