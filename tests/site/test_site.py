"""The built site, as files: nothing failed, nothing missing, nothing that only a live notebook shows."""

import json
from pathlib import Path

import pytest
import verify_site
from bs4 import BeautifulSoup
from conftest import ROOT, chapter_paths

ERROR_WORDS = ("Traceback (most recent call last)", "Warning:", "Error:", "CUDA error")
# tqdm's bar, in a terminal and in a notebook.
PROGRESS_RESIDUE = ("it/s]", "s/it]", "epoch/s", "%|█", "0%|")


def parse(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def chapter_pages(html: Path) -> list[Path]:
    sources = [path.relative_to(ROOT / "book") for path in chapter_paths()]
    return [html / source.with_suffix(".html") for source in sources]


def own_pages(html: Path) -> list[Path]:
    return [page for page in html.rglob("*.html") if "_static" not in page.parts]


def test_every_chapter_has_a_page_with_outputs(html):
    for page in chapter_pages(html):
        assert page.exists()
        assert len(parse(page).select(".cell_output")) > 5


@pytest.mark.parametrize("words", [ERROR_WORDS, PROGRESS_RESIDUE], ids=["errors", "progress bars"])
def test_no_output_holds(html, words):
    for page in chapter_pages(html):
        for output in parse(page).select(".cell_output"):
            found = [word for word in words if word in output.get_text()]
            assert found == [], f"{page.name}: {output.get_text()[:200]}"
        assert not parse(page).select(".output.stderr, .output.traceback")
        assert "application/vnd.jupyter.widget" not in page.read_text()


def test_every_image_has_alternative_text(html):
    for page in own_pages(html):
        for image in parse(page).select("article img"):
            alternative = str(image.get("alt", ""))
            assert len(alternative) > 10, f"{page.name}: {image}"
            assert not alternative.startswith(("../", "_images")), f"{page.name}: {image}"


def test_every_figure_of_the_source_is_in_the_page(html):
    for source, page in zip(chapter_paths(), chapter_pages(html), strict=True):
        expected = source.read_text().count("    alt: ")
        assert len(parse(page).select(".cell_output img")) == expected


def test_every_glued_number_arrived(html):
    for source, page in zip(chapter_paths(), chapter_pages(html), strict=True):
        glued = [span.get_text() for span in parse(page).select(".pasted-text")]
        assert len(glued) == source.read_text().count("{glue:text}")
        assert all(text.strip() for text in glued)


@pytest.mark.parametrize("check", [verify_site.links, verify_site.commits])
def test_what_publishing_asks_of_every_page(html, check):
    assert list(check(verify_site.Site(ROOT))) == []


def test_every_citation_leads_to_its_source(html):
    for page in chapter_pages(html):
        soup = parse(page)
        citations = soup.select("a.footnote-reference")
        assert citations
        for citation in citations:
            assert soup.find(id=str(citation["href"]).removeprefix("#")), citation


def test_every_chapter_says_where_its_outputs_were_computed(html):
    gathered = json.loads((html.parent / "results.json").read_text())
    for source, page in zip(chapter_paths(), chapter_pages(html), strict=True):
        name = source.relative_to(ROOT / "book" / "cnn").with_suffix("").as_posix()
        provenance = gathered[name]["provenance"]
        (line,) = [tag.get_text() for tag in parse(page).select("p.provenance")]
        for part in (provenance["device_name"], provenance["torch"], provenance["commit"][:12]):
            assert part in line


def test_a_standin_is_boxed_and_the_real_data_are_not(html):
    gathered = json.loads((html.parent / "results.json").read_text())
    for source, page in zip(chapter_paths(), chapter_pages(html), strict=True):
        name = source.relative_to(ROOT / "book" / "cnn").with_suffix("").as_posix()
        boxed = "Offline stand-in" in parse(page).get_text()
        assert boxed == any(source["is_standin"] for source in gathered[name]["provenance"]["data"])


def test_results_hold_every_promise_of_every_chapter(html):
    gathered = json.loads((html.parent / "results.json").read_text())
    for source, page in zip(chapter_paths(), chapter_pages(html), strict=True):
        chapter = gathered[source.relative_to(ROOT / "book" / "cnn").with_suffix("").as_posix()]
        provenance = chapter.pop("provenance")
        assert {"device", "device_name", "torch", "commit", "data", "executed"} <= set(provenance)
        for result in chapter.values():
            assert {"mean", "std", "n"} <= set(result)
        held = {name: result["floor"] for name, result in chapter.items() if "floor" in result}
        said = parse(page).get_text()
        assert len(held) == said.count(". Held.")
        assert len(held) + said.count(". Not judged:") > 0
        assert any(source["is_standin"] for source in provenance["data"]) or ". Not judged:" not in said
        for name, floor in held.items():
            assert floor["at_least"] is None or chapter[name]["mean"] >= floor["at_least"]
            assert floor["at_most"] is None or chapter[name]["mean"] <= floor["at_most"]


def test_the_results_page_shows_what_results_json_holds(html):
    gathered = json.loads((html.parent / "results.json").read_text())
    shown = parse(html / "about" / "results.html").get_text()
    for chapter in gathered.values():
        for name, result in chapter.items():
            if name != "provenance":
                assert name.replace("_", " ") in shown
                assert result["text"] in shown
