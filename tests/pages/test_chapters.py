"""The sources of the chapters: their anatomy, before anything is executed."""

import ast
import re

import jupytext
import pytest
import yaml
from bookbuild.book import Book
from conftest import ROOT, chapter_paths

PLOTTING = re.compile(r"\b(?:visualize|classifiers)\.(?!Table\b)\w+\(|plt\.|\.plot\(|\.imshow\(")
# What fits a page of 1300 pixels beside both sidebars.
CODE_WIDTH = 79
# What would make a page's numbers depend on what else a machine does. (How many times as fast one way is as
# another, in processor time, may be shown.)
CLOCKS = ("perf_counter", "monotonic", "time.time", "timeit", "datetime", ".seconds")


@pytest.fixture(params=chapter_paths(), ids=lambda path: path.stem)
def chapter(request):
    return request.param


@pytest.fixture
def notebook(chapter):
    return jupytext.read(chapter)


@pytest.fixture
def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_table_of_contents_lists_every_chapter():
    listed = (ROOT / "_toc.yml").read_text()
    for path in chapter_paths():
        name = path.relative_to(ROOT / "book").with_suffix("").as_posix()
        assert f"file: {name}\n" in listed


def test_front_matter_makes_it_a_notebook(chapter):
    front_matter = yaml.safe_load(chapter.read_text().split("---\n")[1])
    assert front_matter["jupytext"]["text_representation"]["format_name"] == "myst"
    assert front_matter["kernelspec"]["name"] == "python3"


def test_it_says_what_it_gives_and_what_it_takes(chapter):
    text = chapter.read_text()
    for part in ("**You will be able to**", "**It takes**", "**You need**"):
        assert part in text


def test_it_names_its_sources(chapter):
    assert "\n## Sources\n" in chapter.read_text()


def test_every_cell_parses(code):
    for cell in code:
        ast.parse(cell.source)


def test_code_fits_the_page(code):
    too_wide = [line for cell in code for line in cell.source.splitlines() if len(line) > CODE_WIDTH]
    assert too_wide == []


def test_it_promises_something_and_shows_it(chapter):
    page = Book.at(ROOT).pages[chapter.relative_to(ROOT / "book").with_suffix("").as_posix()]
    assert page.promises
    assert "```{promises}" in page.source.replace(":::", "```")


def test_its_cells_know_nothing_of_the_build(code):
    """No formats, floors, provenance or clocks beside what is taught: that is the prose's and the build's."""
    source = "\n".join(cell.source for cell in code)
    for word in ("glue", "provenance", "results.record", "results.require", *CLOCKS):
        assert word not in source


def test_every_figure_has_alternative_text(code):
    for cell in code:
        if PLOTTING.search(cell.source):
            alternative = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alternative) > 20, f"no alternative text: {cell.source}"


def test_every_exercise_has_a_hidden_solution(chapter, code):
    exercises = chapter.read_text().count("{admonition} Exercise")
    hidden = [cell for cell in code if "hide-cell" in cell.metadata.get("tags", [])]
    assert len(hidden) >= exercises


def test_the_prose_types_no_result_of_its_own(notebook):
    """A percentage in the prose comes from the run by a role, or is named here with its reason."""
    allowed = {
        "95%",  # the confidence of the intervals
        "50%",  # from here to 95%, a network is said to be unsure
        "90%",  # what "calibrated" means
        "98.31%",  # the two runs of a thought experiment
        "98.41%",
        "30%",  # PyTorch's one-cycle schedule
        "5%",  # the level of significance
        "99%",  # five intervals of this confidence err together in 5% of cases
    }
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    prose = re.sub(r"\{\w+\}`[^`]*`", "", prose)
    typed = set(re.findall(r"\d+(?:\.\d+)?%", prose))
    assert typed <= allowed
    assert not re.search(r"\d ?±|(?<!\()± ?\d", prose)
