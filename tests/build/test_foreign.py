"""Outputs from another machine's cache: shown, and not obeyed."""

from pathlib import Path

import pytest
from bookbuild.run.cache import ELSEWHERE
from bookbuild.run.exchange import merge
from bookbuild.run.foreign import plain_drawing, plain_html
from bs4 import BeautifulSoup
from rendered_book import PNG, RenderedBook
from test_foreign_drawings import in_a_drawing

pytestmark = pytest.mark.quick

SECRET = "what only this machine knows"
TABLE = "| kernel | error |\n| :-- | --: |\n| box | 1.2% |\n"
PARAGRAPH = '<p class="summary">MNIST: 60,000 images &lt; all &amp; sundry</p>'


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


def books(folder: Path, *shown: dict[str, str], behind: str = "") -> tuple[RenderedBook, RenderedBook]:
    """Return a book with such outputs in its cache, and the same book where nothing was executed.

    Text may stand ``behind`` the cell.
    """
    theirs, ours = RenderedBook(folder / "theirs"), RenderedBook(folder / "ours")
    for book in (theirs, ours):
        book.write_chapter("one", "Prose.", behind=behind)
    theirs.compute("one", {}, shown=shown)
    return theirs, ours


def site_of(book: RenderedBook) -> str:
    """Return all that the site consists of, as one text."""
    files = (path for path in (book.folder / "_build" / "html").rglob("*") if path.is_file())
    own = (path for path in files if "_static" not in path.parts)
    return "\n".join(path.read_bytes().decode(errors="replace") for path in own)


READS_A_FILE = {
    "include": "```{include} SECRET\n```",
    "literalinclude": "```{literalinclude} SECRET\n```",
    "raw": "```{raw} html\n:file: SECRET\n```",
    "colons": ":::{include} SECRET\n:::",
    "reStructuredText": "```{eval-rst}\n.. include:: SECRET\n```",
    "download": "{download}`a file <SECRET>`",
    "picture": "![a picture](SECRET)",
    "link": "[a link](SECRET)",
    "reference": "[a link]\n\n[a link]: SECRET",
}


@pytest.mark.parametrize("is_merged", [True, False])
def test_no_output_puts_a_file_of_this_machine_into_the_site(tmp_path, secret, is_merged):
    texts = [text.replace("SECRET", f"/../../{secret}") for text in READS_A_FILE.values()]
    theirs, ours = books(tmp_path, *({"text/markdown": text, "text/plain": "said plainly"} for text in texts))
    book = theirs
    if is_merged:
        assert merge(theirs.book.cache_folder, ours.book)["added"] == 1
        book = ours
    book.build()
    assert SECRET not in site_of(book)
    assert book.page("one").count("said plainly") == (len(texts) if is_merged else 0)


ACTIVE = {
    "text/html": "<p>a</p><script>alert(1)</script>",
    "text/markdown": "Some text <img src=x onerror=alert(1)>",
    "application/javascript": "alert(1)",
    "text/latex": r"$\href{javascript:alert(1)}{a}$",
    "application/vnd.jupyter.widget-view+json": '{"alert(1)": 1}',
}
NO_PICTURES = {
    "a script as a drawing": {
        "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    },
    "a script as pixels": {"image/png": "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="},
    "pixels that end too early": {"image/png": PNG[:60]},
    "pixels that are broken in the middle": {"image/png": f"{PNG[:56]}AAAA{PNG[60:]}"},
    "pixels with more than pixels": {"image/png": f"{PNG[:40]}!{PNG[40:]}"},
    "a photograph that only begins": {"image/jpeg": "/9j/4AAQSkZJRgABAQ=="},
}


# What only one's own machines may put out.
OWN = {
    "text/html": '<p style="color: red">a <a href="https://example.org">link</a></p>',
    "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" width="9"><path d="M0 0h9v9z"/></svg>',
    "text/latex": r"$x^2$",
}


def test_what_could_act_is_shown_as_text(tmp_path):
    forms = ({kind: content, "text/plain": "said plainly"} for kind, content in ACTIVE.items())
    theirs, ours = books(tmp_path, *forms)
    assert merge(theirs.book.cache_folder, ours.book)["added"] == 1
    assert ours.build() == ""
    assert ours.page("one").count("said plainly") == len(ACTIVE)
    assert "alert(1)" not in site_of(ours)


@pytest.mark.parametrize("kind", ACTIVE)
def test_a_page_with_an_output_that_can_only_act_is_left_out(tmp_path, kind):
    theirs, ours = books(tmp_path, {kind: ACTIVE[kind]})
    assert merge(theirs.book.cache_folder, ours.book) == {"added": 0, "there already": 0, "damaged": 1}


NOT_PLAIN = [
    "~~words~~",
    "```no-language\nx\n```",
    "    x = 1",
    "www.example.org",
    "# A heading",
    "words\n\n---",
    "- [ ] to do",
]


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_markdown_that_sphinx_would_warn_of_or_that_leads_away_is_shown_as_text(tmp_path, text):
    theirs, ours = books(tmp_path, {"text/markdown": text, "text/plain": "said plainly"})
    assert merge(theirs.book.cache_folder, ours.book)["added"] == 1
    assert ours.build() == ""
    assert "said plainly" in ours.page("one")


def test_tables_lists_and_words_are_shown_as_they_were(tmp_path):
    text = f"{TABLE}\nSome *words*, and `code`:\n\n1. one\n2. **two**\n"
    theirs, ours = books(tmp_path, {"text/markdown": text, "text/plain": "said plainly"})
    assert merge(theirs.book.cache_folder, ours.book)["added"] == 1
    assert ours.build() == ""
    shown = BeautifulSoup(ours.page("one"), "html.parser").select_one(".cell_output")
    assert [shown.select_one(kind) is None for kind in ("td", "em", "ol", "strong")] == [False] * 4


CAPTION = "\n:::{caption} fig-one\nA pixel.\n:::\n"


@pytest.mark.parametrize("forms", NO_PICTURES.values(), ids=NO_PICTURES)
def test_a_page_with_a_picture_that_cannot_be_shown_is_left_out_with_a_word(tmp_path, forms, caplog):
    """It is executed here: above a caption, text in the place of a figure would fail the build."""
    theirs, ours = books(tmp_path, forms | {"text/plain": "<Figure>"}, behind=CAPTION)
    with caplog.at_level("INFO"):
        assert merge(theirs.book.cache_folder, ours.book) == {"added": 0, "there already": 0, "damaged": 1}
    assert "one.md: what another machine put out is left out: a picture is damaged" in caplog.text


def test_of_a_picture_in_two_forms_the_one_that_can_be_shown_is(tmp_path):
    drawing = str(plain_drawing(in_a_drawing("")))
    theirs, ours = books(tmp_path, {"image/png": PNG[:60], "image/svg+xml": drawing}, behind=CAPTION)
    assert merge(theirs.book.cache_folder, ours.book)["added"] == 1
    assert ours.build() == ""
    assert "<img" in ours.page("one")


@pytest.mark.parametrize(
    "text",
    [
        "<p onclick=alert(1)>a</p>",
        "<a href='javascript:alert(1)'>a</a>",
        "<p style='background: url(//evil)'>a</p>",
        "<iframe src=//evil></iframe>",
        "<form action=//evil><input></form>",
        "<svg/onload=alert(1)>",
        "<p>a<!-- <script>alert(1)</script> --></p>",
        "<p><style>*{}</style></p>",
        "<math><mtext></mtext></math>",
        "<p>&lt;script&gt;</p><SCRIPT>alert(1)</SCRIPT>",
    ],
)
def test_html_that_could_act_is_none(text):
    assert plain_html(text) is None


@pytest.mark.parametrize("text", ["<p>a < b</p>", "<p>&lt;script&gt;alert(1)", "a<script", "<p"])
def test_no_bracket_of_plain_html_opens_what_was_not_seen(text):
    understood = plain_html(text)
    assert understood is None or "<s" not in understood


def test_what_the_book_itself_puts_out_is_shown_as_it_was(tmp_path):
    drawing = plain_drawing(in_a_drawing(""))  # as it is written: its file is named by its content
    assert drawing
    shown = (
        {"text/markdown": TABLE, "text/plain": TABLE},
        {"text/html": PARAGRAPH, "text/plain": "MNIST"},
        {"image/png": PNG, "image/svg+xml": drawing, "text/plain": "<Figure>"},
        {"image/png": f"{PNG[:40]}\n{PNG[40:]}\n", "text/plain": "<Figure>"},  # as some libraries write it
    )
    theirs, ours = books(tmp_path, *shown)
    assert merge(theirs.book.cache_folder, ours.book)["added"] == 1
    pages = []
    for book in (theirs, ours):
        assert book.build() == ""
        pages.append(BeautifulSoup(book.page("one"), "html.parser").select(".cell_output"))
    assert pages[0] == pages[1]
    said = "".join(map(str, pages[1]))
    assert PARAGRAPH in said
    assert "<td" in said
    assert "<img" in said


def test_what_machines_of_one_s_own_put_out_is_shown_as_if_it_were_computed_here(tmp_path):
    """A picture in two forms, widgets' HTML, a link: all of it, where others' would become plain text."""
    forms = ({kind: content, "text/plain": "said plainly"} for kind, content in OWN.items())
    theirs, ours = books(tmp_path, *forms, {"text/html": OWN["text/html"]})
    assert merge(theirs.book.cache_folder, ours.book, is_own=True)["added"] == 1
    pages = []
    for book in (theirs, ours):
        assert book.build() == ""
        pages.append(BeautifulSoup(book.page("one"), "html.parser").select_one("article"))
    assert pages[0] == pages[1]
    assert pages[1].select(".cell_output a[href], .cell_output [style]")
    assert "another machine" not in str(pages[1])
    # What they had from others stays marked as that.
    third = RenderedBook(tmp_path / "third")
    third.write_chapter("one", "Prose.")
    (entry,) = (ours.book.cache_folder / "executed").iterdir()
    (entry / ELSEWHERE).touch()
    assert merge(ours.book.cache_folder, third.book, is_own=True)["added"] == 1
    assert third.build() == ""
    assert "another machine" in third.page("one")
