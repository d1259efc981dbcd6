"""The built site, as files: nothing failed, nothing missing, nothing that only a live notebook shows."""

import re
import zipfile
from pathlib import Path

import pytest
from bookbuild import summary
from bookbuild.book import Book, Page
from bookbuild.check import site
from browsing import built_site
from bs4 import BeautifulSoup
from conftest import ROOT, chapter_paths
from topics import PAGES, topics

ERROR_WORDS = ("Traceback (most recent call last)", "Warning:", "Error:", "CUDA error")
# tqdm's bar, in a terminal and in a notebook.
PROGRESS_RESIDUE = ("it/s]", "s/it]", "epoch/s", "%|█", "0%|")


def parse(page: Path) -> BeautifulSoup:
    return built_site().pages[page]


def chapter_pages(html: Path) -> list[Path]:
    sources = [path.relative_to(ROOT / "book") for path in chapter_paths()]
    return [html / source.with_suffix(".html") for source in sources]


def own_pages(html: Path) -> list[Path]:
    return [page for page in html.rglob("*.html") if "_static" not in page.parts]


# What a search engine, a browser's tab and its guard against foreign scripts read.
HEAD = ("title", "meta[name=description]", "meta[http-equiv=Content-Security-Policy]", "link[rel~=icon]")


def test_every_page_has_a_whole_head(html):
    for page in own_pages(html):
        for part in HEAD:
            (found,) = parse(page).select(f"head {part}")
            assert (found.get("content") or found.get("href") or found.get_text()).strip(), (page, part)


def test_the_pages_that_a_browser_looks_at_are_all_there_are(html):
    assert sorted(page.relative_to(html).as_posix() for page in own_pages(html)) == sorted(PAGES)


def test_every_chapter_leads_to_the_next(html):
    pages = {page: parse(page).select_one(".prev-next-area a.right-next") for page in chapter_pages(html)}
    following = [(page.parent / str(link["href"])).resolve() for page, link in pages.items()]
    assert len(set(following)) == len(pages)


def test_the_archive_has_every_notebook(html):
    with zipfile.ZipFile(html / "notebooks.zip") as archive:
        packed = {name for name in archive.namelist() if name.endswith(".ipynb")}
    chapters = {page.relative_to(html).with_suffix(".ipynb").as_posix() for page in chapter_pages(html)}
    assert {name for name in chapters if not any(each.endswith(name) for each in packed)} == set()


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.core)
def test_a_core_page_shows_many_outputs_and_a_deeper_one_some(html, topic):
    assert len(parse(html / f"{topic.core}.html").select(".cell_output")) > 5
    for page in topic.deeper:
        assert parse(html / f"{page}.html").select(".cell_output"), page


@pytest.mark.parametrize("words", [ERROR_WORDS, PROGRESS_RESIDUE], ids=["errors", "progress bars"])
def test_no_output_holds(html, words):
    for page in chapter_pages(html):
        for output in parse(page).select(".cell_output"):
            found = [word for word in words if word in output.get_text()]
            assert found == [], f"{page.name}: {output.get_text()[:200]}"
        assert not parse(page).select(".output.stderr, .output.traceback")
        assert "application/vnd.jupyter.widget" not in page.read_text()


def test_no_page_wears_what_is_for_another_reader(html):
    """Jupyter Book would load every style sheet of `_static` on every page."""
    for name, is_ours in (("type.css", True), ("reader.css", False)):
        sheet = (ROOT / "book" / "_static" / name).read_text()
        longest = max(re.findall(r"\{ ([^{}]*) \}", sheet), key=len)
        assert (longest in (html / "_static" / "site.css").read_text()) == is_ours, longest


def test_a_screen_reader_hears_what_a_switch_says(html):
    """A name beside a text would be read in place of it."""
    for page in chapter_pages(html):
        switches = [each for each in parse(page).select("article summary") if each.get_text(strip=True)]
        assert switches
        assert [each for each in switches if each.get("aria-label")] == [], page.name


def test_every_image_has_alternative_text(html):
    for page in own_pages(html):
        for image in parse(page).select("article img:not(.sd-card-img-top)"):
            alternative = str(image.get("alt", ""))
            assert len(alternative) > 10, f"{page.name}: {image}"
            assert not alternative.startswith(("../", "_images")), f"{page.name}: {image}"


def test_a_card_names_its_chapter_as_the_chapter_does(html):
    """With its number; its drawing adds nothing that a screen reader should read out."""
    cards = parse(html / "index.html").select(".sd-card")
    assert len(cards) == len(topics())
    for card in cards:
        chapter = parse(html / str(card.select_one("a")["href"]))
        heading = chapter.select_one("article h1").get_text().rstrip("#")
        assert card.select_one(".sd-card-title").get_text(strip=True) == heading
        assert card.select_one("img")["alt"] == ""


def test_every_figure_of_the_source_is_in_the_page(html):
    for source, page in zip(chapter_paths(), chapter_pages(html), strict=True):
        expected = source.read_text().count("    alt: ")
        assert len(parse(page).select(".cell_output img")) == expected


def test_every_number_arrived(html):
    for source, page in zip(chapter_paths(), chapter_pages(html), strict=True):
        shown = [span.get_text() for span in parse(page).select("span.result")]
        said = source.read_text()
        assert len(shown) == said.count("{result}`") + said.count("{provenance}`")
        assert all(text.strip() for text in shown)


CHECKS = [site.links, site.files, site.promises, site.hosts, site.commits]


@pytest.mark.parametrize("check", CHECKS)
def test_what_publishing_asks_of_every_page(html, check):
    assert list(check(built_site())) == []


def test_every_citation_leads_to_its_source(html):
    for page in chapter_pages(html):
        soup = parse(page)
        citations = soup.select("a.footnote-reference")
        assert citations
        for citation in citations:
            assert soup.find(id=str(citation["href"]).removeprefix("#")), citation


@pytest.fixture(params=sorted(Book.at(ROOT).notebooks))
def chapter(request) -> Page:
    return Book.at(ROOT).notebooks[request.param]


@pytest.fixture
def record(html, chapter):
    return summary.read(html.parent)[chapter.docname]


@pytest.fixture
def soup(html, chapter) -> BeautifulSoup:
    return parse(html / f"{chapter.docname}.html")


def test_no_formula_is_left_as_it_was_written(soup):
    """As where a line of the source begins with the minus of a formula, and so with a list."""
    dollars = soup.article.find_all(string=re.compile(r"\$"))
    assert not [str(text) for text in dollars if not text.find_parent(["pre", "code", "math"])]
    formulas = [math.get_text() for math in soup.article.select("math")]
    assert [text for text in formulas if "\\" in text] == []


def test_it_says_where_its_outputs_were_computed(record, soup):
    provenance = record.provenance
    (line,) = [tag.get_text() for tag in soup.select("p.provenance")]
    for part in (provenance.device_name, provenance.torch, provenance.commit[:12]):
        assert part in line


def test_a_standin_is_boxed_and_the_real_data_are_not(record, soup):
    assert ("Offline stand-in" in soup.get_text()) == record.provenance.is_standin


def test_the_promises_are_shown_with_what_was_measured(chapter, record, soup):
    rows = [[cell.get_text() for cell in row.select("td")] for row in soup.select("table.promises tbody tr")]
    assert {row[0].replace(" ", "_") for row in rows} == set(chapter.promises)
    judged = [promise for promise in chapter.promises.values() if promise.name in record.results]
    assert record.provenance.is_standin or all(promise.is_kept(record) for promise in judged)
    assert record.provenance.is_standin or not any("not judged" in "".join(row) for row in rows)


def test_the_results_page_shows_what_was_promised_or_measured(html, chapter, record):
    shown = parse(html / "about" / "results.html").get_text()
    for name, result in record.results.items():
        if result.data is not None or name in chapter.promises:
            assert name.replace("_", " ") in shown
