"""A topic: its core page is short and has the form that readers know; deeper pages hold what goes beyond."""

import re
from pathlib import Path

import jupytext
import pytest
from bookbuild.render.notebooks import FOLDED
from conftest import ROOT, chapter_paths
from topics import topics

MOST_WORDS = 2_800
MOST_CODE = 250  # lines that are not folded


TOPICS = topics()
CORE = [topic.core for topic in TOPICS]


def path_of(page: str) -> Path:
    return ROOT / "book" / f"{page}.md"


@pytest.fixture
def text(page):
    return path_of(page).read_text(encoding="utf-8")


@pytest.fixture
def cells(text):
    return jupytext.reads(text, fmt="md:myst").cells


def words(cells) -> int:
    """Count the words that stand in a page's text, without formulas, options and the marks of directives."""
    prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    prose = re.sub(r"^[:`]{3,}\{math\}.*?^[:`]{3,}$", "", prose, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^[:`]{3,}.*$|^:[\w-]+:.*$|^\([\w-]+\)=$", "", prose, flags=re.MULTILINE)
    return len(re.findall(r"\S*\w\S*", prose))


def test_every_page_belongs_to_a_topic():
    listed = [page for topic in TOPICS for page in (topic.core, *topic.deeper)]
    assert sorted(map(path_of, listed)) == chapter_paths()


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.core)
def test_a_topic_says_what_goes_wrong(topic):
    texts = [path_of(page).read_text(encoding="utf-8") for page in (topic.core, *topic.deeper)]
    assert any("\n## What goes wrong" in text for text in texts)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.core)
def test_a_core_page_has_exercises(topic):
    """Also one that is not divided yet."""
    text = path_of(topic.core).read_text(encoding="utf-8")
    assert "\n## Exercises\n" in text
    assert text.count("{admonition} Exercise") >= 3


@pytest.mark.parametrize("page", CORE)
def test_a_core_page_lets_a_reader_play_and_says_what_to_try(text):
    assert "{playground}" in text
    assert re.search(r"\*Try this\b", text)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.core)
def test_a_deeper_page_lies_beside_its_core_page(topic):
    for page in topic.deeper:
        assert path_of(page).parent == path_of(topic.core).parent


@pytest.mark.parametrize("page", CORE)
def test_a_core_page_is_short(cells):
    code = [cell for cell in cells if cell.cell_type == "code"]
    unfolded = [cell.source for cell in code if not FOLDED & set(cell.metadata.get("tags", []))]
    assert words(cells) <= MOST_WORDS
    assert sum(len(source.splitlines()) for source in unfolded) <= MOST_CODE


@pytest.mark.parametrize("page", CORE)
def test_a_core_page_opens_with_a_picture(text):
    opening = text.split("\n## ")[0]
    assert "alt:" in opening or "{playground}" in opening
    assert opening.find("alt:") < opening.find("What this chapter gives you")


@pytest.mark.parametrize("page", CORE)
@pytest.mark.parametrize("heading", ["What to remember", "Exercises", "Where to go next"])
def test_a_core_page_has_every_part(text, heading):
    assert f"\n## {heading}\n" in text


@pytest.mark.parametrize("page", CORE)
def test_three_exercises_can_be_referred_to(page, text):
    found = re.findall(r"\{admonition\} Exercise (\d): .+\n(?::class: .+\n)?:name: (\S+)\n", text)
    stem = page.rpartition("/")[2]
    assert found == [(str(number), f"{stem}-exercise-{number}") for number in (1, 2, 3)]
