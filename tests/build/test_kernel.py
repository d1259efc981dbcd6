"""One page in one kernel: how much it may put out."""

from pathlib import Path

import pytest
from bookbuild.book import Page
from bookbuild.run import acceptance, kernel
from small_book import FRONT_MATTER

pytestmark = pytest.mark.quick


def run_of(folder: Path, code: str) -> kernel.PageRun:
    page = Page("page", folder / "page.md", f"{FRONT_MATTER}\n# Page\n\n```{{code-cell}}\n{code}\n```\n")
    return kernel.PageRun(page, page.notebook({}), folder / "run", {})


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    print('x' * 1000)",
        "from IPython.display import HTML, display\nwhile True:\n    display(HTML('x' * 10_000))",
    ],
)
def test_a_page_that_prints_without_end_is_ended_and_named(tmp_path, monkeypatch, code):
    monkeypatch.setattr(acceptance, "LARGEST", 100_000)
    failure = run_of(tmp_path, code).execute(1)
    assert "puts out more than 100,000 characters: print less" in str(failure)
    assert "cell 1 (line 14) of page" in str(failure)
