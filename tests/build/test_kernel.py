"""One page in one kernel: how much it may put out, and what it dies of."""

import re
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


CUT_OFF = """
import mmap, os
with open("mapped", "wb+") as file:
    file.truncate(100_000)
    content = mmap.mmap(file.fileno(), 0)
    file.truncate(0)
    print(content[50_000])
"""


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (CUT_OFF, "Kernel died of SIGBUS: .*was cut off meanwhile.*-m dlbook.data verify"),
        ("import os\nos.kill(os.getpid(), 9)", "Kernel died of SIGKILL: .*memory.*DLBOOK_WORKERS=1"),
        ("import os\nos.abort()", "Kernel died of SIGABRT$"),
        ("import os\nos._exit(1)", "Kernel died$"),
    ],
)
def test_a_kernel_that_dies_without_a_word_is_given_one(tmp_path, code, message):
    assert re.search(
        rf"cell 1 \(line 14\) of page failed: .*{message}", str(run_of(tmp_path, code).execute(1))
    )
