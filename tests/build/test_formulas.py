"""Formulas: what a reader without scripts finds in the page where the source has LaTeX."""

import re

import pytest
from bookbuild.render.formulas import to_mathml
from bs4 import BeautifulSoup
from bs4.element import Tag
from conftest import ROOT
from rendered_book import RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]

FENCE = re.compile(r"^(`{3,}|~{3,})\{?code.*?^\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>[^$\n]+(?:\n[^$\n]+)*?)\$", re.DOTALL)
FORMULAS = {
    (path.relative_to(ROOT).as_posix(), found["block"] or found["inline"], bool(found["block"]))
    for path in (ROOT / "book").rglob("*.md")
    for found in FORMULA.finditer(FENCE.sub("", path.read_text(encoding="utf-8")))
}


@pytest.fixture
def book(tmp_path) -> RenderedBook:
    return RenderedBook(tmp_path)


def formulas(book: RenderedBook, text: str) -> list[Tag]:
    """Build a page, and return its formulas."""
    book.write("index", f"# First page\n\n{text}\n")
    assert book.build() == ""
    return BeautifulSoup(book.page("index"), "html.parser").select("article math")


def test_every_formula_of_the_book_has_a_form_in_mathml():
    assert len(FORMULAS) > 100
    for page, tex, is_block in FORMULAS:
        shown = BeautifulSoup(to_mathml(tex, is_block), "html.parser").get_text()
        assert not re.search(r"\\|\$|\d(ex|em|pt)", shown), f"{page}: {tex}"


def test_a_formula_in_a_sentence_needs_no_script(book):
    (formula,) = formulas(book, r"It is $\langle x_i^2 \rangle < \frac{1}{n}$.")
    assert formula.select_one("mfrac").get_text("/") == "1/n"
    assert [child.get_text() for child in formula.select_one("msubsup").children] == ["x", "i", "2"]
    assert "⟨" in formula.get_text()
    assert "\\" not in formula.get_text()
    scripts = BeautifulSoup(book.page("index"), "html.parser").select("script")
    assert not [script for script in scripts if "mathjax" in str(script).lower()]


@pytest.mark.parametrize(
    "text",
    [
        "$$\na &= b \\\\[1ex]\nc &= d\n$$",
        "```{math}\na &= b\n\nc &= d\n```",
        "\\begin{align*}\na &= b \\\\\nc &= d\n\\end{align*}",
    ],
    ids=["dollars", "directive", "amsmath"],
)
def test_rows_are_one_below_the_other(book, text):
    (formula,) = formulas(book, text)
    rows = ["".join(row.get_text().split()) for row in formula.select("mtr")]
    assert rows == ["a=b", "c=d"]
    assert formula["display"] == "block"


@pytest.mark.parametrize(
    "text",
    [
        "$$\na = b\n$$ (gain)\n\nAs {eq}`gain` says.",
        "```{math}\n:label: gain\na = b\n```\n\nAs {eq}`gain` says.",
    ],
)
def test_a_link_leads_to_the_formula_of_a_number(book, text):
    formulas(book, text)
    page = BeautifulSoup(book.page("index"), "html.parser")
    (link,) = page.select("article p a.reference")
    target = page.find(id=str(link["href"]).removeprefix("#"))
    assert link.get_text() == "(1)"
    assert target.select_one(".eqno").get_text().startswith("(1)")
    assert target.select_one("math").get_text() == "a=b"


def test_numbered_rows_have_the_one_number_of_their_formula(book):
    (formula,) = formulas(book, "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}")
    assert formula.parent.select_one(".eqno").get_text().startswith("(1)")
    assert "(" not in formula.get_text()


def test_punctuation_stays_on_its_formula_s_line(book):
    text = "First ($a$), then $b$, of $c$%; and $d$ (not $e$) in **$f$**. *So $g$*!"
    found = formulas(book, text)
    page = BeautifulSoup(book.page("index"), "html.parser").select_one("article section p")
    assert page.get_text() == "First (a), then b, of c%; and d (not e) in f. So g!"
    kept = [span.get_text() for span in page.select(".unbroken")]
    assert kept == ["(a),", "b,", "c%;", "e)"]
    assert len(found) == 7


def test_a_formula_that_cannot_be_read_is_named_with_its_place(book):
    book.write("index", "# First page\n\nIt is $1 < \\nonsense{x}$, is it?\n")
    for _ in range(2):
        warning = book.build()
        assert re.search(r"index\.md:3: .*1 < \\nonsense\{x\}.*Unknown command", warning)
    assert "1 &lt; \\nonsense{x}" in book.page("index")
