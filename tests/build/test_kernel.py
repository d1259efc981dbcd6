"""One page in one kernel: how much it may put out, and what it dies of."""

import re
import socket
import tempfile
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


def test_a_kernel_starts_where_another_program_was_faster_to_take_a_port(tmp_path, monkeypatch):
    with socket.socket() as faster:
        faster.bind(("127.0.0.1", 0))
        faster.listen()
        port = faster.getsockname()[1]
        monkeypatch.setattr(
            "jupyter_client.connect.LocalPortCache.find_available_port", lambda self, ip: port
        )
        assert run_of(tmp_path, "1 + 1").execute(1) is None


def test_a_kernel_starts_where_temporary_files_lie_too_deep_for_a_socket(tmp_path, monkeypatch):
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert run_of(tmp_path, "1 + 1").execute(1) is None


def test_a_kernel_that_dies_before_its_first_cell_fails_the_page_and_not_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel.isolation, "ARGUMENTS", ["--IPKernelApp.exec_lines=import os; os._exit(1)"])
    failure = run_of(tmp_path, "1 + 1").execute(1)
    assert (
        str(failure) == "the kernel of page failed: RuntimeError: Kernel died before replying to kernel_info"
    )
