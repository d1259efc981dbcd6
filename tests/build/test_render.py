"""What the extension renders, in small books whose outputs lie in the cache: nothing is executed here."""

import re
from dataclasses import replace

import pytest
from bookbuild import summary
from bookbuild.check.site import Site, files
from bs4 import BeautifulSoup
from rendered_book import MNIST, PNG, PROVENANCE, RenderedBook
from sphinx.errors import ExtensionError

from dlbook import data
from dlbook.data.registry import REGISTRY
from dlbook.record import Result

pytestmark = [pytest.mark.quick, pytest.mark.slow]

ACCURACY = Result((0.5, 0.7), seeds=(0, 1), data="mnist")


@pytest.fixture
def book(tmp_path) -> RenderedBook:
    return RenderedBook(tmp_path)


def text_of(page: str) -> str:
    """Return the article's text, with single spaces."""
    return re.sub(r"\s+", " ", BeautifulSoup(page, "html.parser").select_one("article").get_text(" "))


SHOWN = {
    "{result}`accuracy:.1%`": "60.0 ± 14.1%",
    "{result}`accuracy.mean:.1%`": "60.0%",
    "{result}`accuracy.std:.1%`": "14.1%",
    "{result}`accuracy.n`": "2",
    "{result}`accuracy.min:.0%`": "50%",
    "{result}`gain:+.1pp`": "+1.2 points",
    "{result}`count:,d`": "12,345",
    "{result}`count`": "12345",
    "{result}`worst`": "a 4 taken for a 9",
    "{result}`nothing:.1f`": "0.0",
    "{result}`loss:+.1pp`": "−1.2 points",
    "{result}`rate:.0e`": "3e-04",
    "{result}`name`": "a 4-by-4 filter, 2026-01-02",
    "{provenance}`minutes:.1f`": "1.5",
    "{provenance}`device_name`": "A processor",
}


def test_prose_shows_numbers_as_it_asks_for_them(book):
    book.write_chapter("one", "\n\n".join(f"It is ({role}), is it not?" for role in SHOWN))
    results = {
        "accuracy": ACCURACY,
        "gain": Result((0.0123,)),
        "count": Result((12345,)),
        "worst": Result(("a 4 taken for a 9",)),
        "nothing": Result((-0.01,)),
        "loss": Result((-0.0123,)),
        "rate": Result((3e-4,)),
        "name": Result(("a 4-by-4 filter, 2026-01-02",)),
    }
    book.compute("one", results)
    assert book.build() == ""
    found = re.findall(r"It is \( (.*?) \), is it not\?", text_of(book.page("one")))
    assert dict(zip(SHOWN, found, strict=True)) == SHOWN


NOT_SHOWN = {
    "{result}`absent:.1%`": "absent",
    "{result}`two::accuracy`": "no page two",
    "{result}`worst:.1%`": "worst",
    "{result}`accuracy.median`": "accuracy.median",
    "{provenance}`color`": "color",
}


def test_what_cannot_be_shown_is_named_in_a_warning(book):
    book.write_chapter("one", "\n\n".join(f"It is {role}." for role in NOT_SHOWN))
    book.compute("one", {"accuracy": ACCURACY, "worst": Result(("a text",))})
    warnings = book.build()
    lines = (book.source / "one.md").read_text().splitlines()
    for role, named in NOT_SHOWN.items():
        place = f"one.md:{lines.index(f'It is {role}.') + 1}: "
        assert named in warnings.partition(place)[2].partition("\n")[0]


def test_a_page_shows_another_s_number_as_it_is_now(book):
    book.write("index", "# First\n\nOver there: {result}`one::accuracy:.0%`.\n")
    for value in (0.5, 0.75):
        book.write_chapter(
            "one",
            f"Some prose of the version {value}.",
            promises=f"  accuracy: {{at_least: 0.{int(value * 10)}}}\n",
        )
        book.compute("one", {"accuracy": Result((value,))})
        assert book.build() == ""
        assert f"Over there: {value:.0%} ." in text_of(book.page("index"))


def test_the_promises_are_in_a_table_with_what_they_rest_on(book):
    promises = "  accuracy: {at_least: 0.4}\n  error: {at_most: other, form: .2f}\n  count: {equals: 3}\n"
    book.write_chapter("one", "{result}`accuracy:.0%`\n\n:::{promises}\n:::", promises)
    book.compute(
        "one",
        {"accuracy": ACCURACY, "error": Result((0.1,)), "other": Result((0.2,)), "count": Result((3,))},
    )
    assert book.build() == ""
    table = BeautifulSoup(book.page("one"), "html.parser").select_one("table.promises")
    rows = [[cell.get_text() for cell in row.select("td")] for row in table.select("tbody tr")]
    assert rows == [
        ["accuracy", "60 ± 14%", "≥ 40%", "2", "mnist, seeds 0, 1"],
        ["error", "0.10", "≤ 0.20 (other)", "1", "no data"],
        ["count", "3", "= 3", "1", "no data"],
    ]
    assert book.results["one"]["promises"]["error"] == {"at_least": None, "at_most": 0.2, "judged": True}


@pytest.mark.parametrize(
    ("promise", "named"),
    [
        ("accuracy: {at_least: 0.9}", "accuracy is 0.6"),
        ("accuracy: {at_most: 1e-6}", "accuracy is 0.6"),
        ("absent: {at_least: 0.9}", "absent"),
        ("accuracy: {at_least: absent}", "absent"),
        ("accuracy: 0.9", "accuracy"),
        ("accuracy: {as_least: 0.9}", "accuracy"),
    ],
)
def test_a_broken_promise_stops_the_build_and_the_last_site_stays(book, promise, named):
    book.write_chapter("one", "Before.")
    book.compute("one", {"accuracy": ACCURACY})
    assert book.build() == ""
    book.write_chapter("one", "After.", f"  {promise}\n")
    with pytest.raises(ExtensionError, match=re.escape(named)):
        book.build()
    assert "Before." in book.page("one")


def test_a_stand_in_is_shown_in_one_box_and_not_judged(book, tmp_path, monkeypatch):
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "data"))
    monkeypatch.setitem(REGISTRY, "mnist", replace(REGISTRY["mnist"], sources=()))
    stand_in = replace(PROVENANCE, data=(replace(MNIST, is_standin=True),))
    promises = "  accuracy: {at_least: 0.9, form: .0%}\n  steps: {at_most: 1}\n"
    book.write_chapter("one", ":::{promises}\n:::", promises)
    book.compute(
        "one",
        {"accuracy": ACCURACY, "steps": Result((5,))},
        stand_in,
        shown=[{"text/html": data.load("mnist")._repr_html_()}],
    )
    assert book.build() == ""
    assert text_of(book.page("one")).count("not judged") == 2
    boxes = BeautifulSoup(book.page("one"), "html.parser").select("article .admonition")
    assert [box.select_one(".admonition-title").get_text() for box in boxes] == ["Offline stand-in"]
    assert "Stand-in for MNIST" in text_of(book.page("one"))


def test_the_results_page_lists_what_was_promised_and_folds_what_else_was_measured(book):
    book.write("index", "# Results\n\n:::{results-table}\n:::\n")
    book.write_chapter("one", "{result}`accuracy:.1%` and {result}`minor:.0f`", "  count: {equals: 3}\n")
    book.compute("one", {"accuracy": ACCURACY, "minor": Result((77,)), "count": Result((3,))})
    assert book.build() == ""
    shown = text_of(book.page("index"))
    for part in ("Chapter one", "60.0 ± 14.1%", "= 3", "A processor (cpu)", "c0ffee"):
        assert part in shown
    assert "77" not in shown
    (folded,) = BeautifulSoup(book.page("index"), "html.parser").select("article details")
    said = " ".join(folded.get_text(" ").split())
    assert "accuracy 60.0 ± 14.1%" in said
    assert "count" not in said
    (heading,) = BeautifulSoup(book.page("index"), "html.parser").select("article h2")
    assert heading.contents[0] == "Chapter one"
    assert book.results["one"]["results"]["minor"]["values"] == [77]


def test_run_times_come_from_the_build(book):
    book.write("index", "# Times\n\n:::{run-times}\n:::\n")
    book.write_chapter("one", "Prose.")
    book.compute("one", {})
    assert book.build() == ""
    assert "Chapter one 90.0 A processor (cpu) 1.23 GB 2026-01-02 03:04 cache" in text_of(book.page("index"))


def test_a_card_shows_a_figure_of_its_page(book):
    book.write("index", "# First page\n\n:::{page-figure} one\n:::\n")
    book.write_chapter("one", "Prose.")
    book.compute("one", {}, shown=[{"image/png": PNG}])
    assert book.build() == ""
    (image,) = BeautifulSoup(book.page("index"), "html.parser").select("article img")
    assert (book.folder / "_build" / "html" / image["src"]).exists()

    book.write("index", "# First page\n\n:::{page-figure} one\n:number: 2\n:::\n")
    assert "no figure 2, only 1" in book.build()


def test_a_warning_is_given_by_every_build_until_its_cause_is_gone(book):
    """Sphinx alone reads nothing again the second time, and calls the same site a success."""
    book.write_chapter("one", "{result}`absent`")
    book.compute("one", {"accuracy": ACCURACY})
    for _ in range(2):
        assert "absent" in book.build()
    book.write_chapter("one", "{result}`accuracy:.1%`")
    assert book.build() == ""


def test_saved_files_are_published_under_their_checksum(book):
    book.write_chapter("one", "Prose.")
    book.compute("one", {}, files={"table.json": b"[1, 2]"})
    assert book.build() == ""
    (saved,) = summary.read(book.folder / "_build")["one"].files.values()
    address = summary.saved_address("one", saved.file, saved.sha256)
    published = book.folder / "_build" / "html" / address
    assert published.read_bytes() == b"[1, 2]"
    assert list(files(Site(book.book))) == []
    published.write_bytes(b"[1, 3]")
    assert "table.json" in "".join(files(Site(book.book)))
    assert book.build() == ""
    assert published.read_bytes() == b"[1, 2]"


def test_a_page_whose_code_changed_shows_the_new_outputs(book):
    book.write_chapter("one", "{result}`accuracy:.0%`")
    book.compute("one", {"accuracy": Result((0.5,))})
    assert book.build() == ""
    source = book.source / "one.md"
    source.write_text(source.read_text().replace("1 + 1", "1 + 2"))
    book.compute("one", {"accuracy": Result((0.6,))})
    assert book.build() == ""
    assert "60%" in book.page("one")
