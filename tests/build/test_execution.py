"""Faults while a book is built: whatever happens, the next build can use what was computed."""

import re
import shutil
import signal
from pathlib import Path

import psutil
import pytest
from lockless import without_locks
from small_book import ENDLESS, PATIENCE, Book

IMPORTS = "import torch\nfrom dlbook import initial\n"
# A library that starts a process of its own, as PyTorch's loaders of data do.
WORKING = """\
from concurrent.futures import ProcessPoolExecutor
from time import sleep
pool = ProcessPoolExecutor(1)
pool.submit(sleep, 3600)
"""


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(tmp_path)


def entry_of(book: Book, chapter: str) -> Path:
    """Return the cached notebook of a chapter: the one whose code writes its name into the log."""
    entries = (book.folder / "_build" / ".jupyter_cache").glob("executed/*/base.ipynb")
    (found,) = [path for path in entries if f".write('{chapter}" in path.read_text()]
    return found


def test_a_dead_kernel_is_named_and_the_others_are_kept(book):
    book.write("data", "import os\nos._exit(1)")
    assert book.fail() == ["plain"]
    assert re.search(r"cell 1 \(line 16\) of cnn/data failed: .*Kernel died", book.errors)
    book.write("data", "print('mended')")
    assert book.build() == ["data"]


def test_a_chapter_has_a_time_limit(book):
    config = book.folder / "_config.yml"
    config.write_text(config.read_text().replace("bookbuild_page_limit: 14400", "bookbuild_page_limit: 45"))
    book.write("data", ENDLESS)
    # It would go on for longer than is waited. Where a kernel starts slowly, it may not even begin.
    assert set(book.fail(DLBOOK_CHAPTERS="cnn/data")) <= {"begun"}
    assert re.search(r"cell 1 \(line 16\) of cnn/data failed: .*[Tt]imed? ?out", book.errors)


def test_an_interrupted_build_keeps_what_was_computed_and_leaves_no_kernel(book):
    book.write("plain", IMPORTS + ENDLESS)
    kernels = book.interrupt(1, DLBOOK_WORKERS="1")
    assert kernels
    _, alive = psutil.wait_procs(kernels, timeout=PATIENCE)
    assert alive == []
    book.write("plain", IMPORTS + "print('quick')")
    assert book.build() == ["plain"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_whatever_ends_a_build_ends_its_kernels(book, name):
    """And what these have started, where the build itself can still do something about it."""
    start = "" if name == "SIGKILL" else WORKING
    for page in ("data", "plain"):
        book.write(page, start + ENDLESS)
    processes = book.end(2, signal.Signals[name], DLBOOK_WORKERS="2")
    assert len(processes) >= (4 if start else 2)
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []


def test_a_profile_that_is_stopped_leaves_no_kernel(book):
    book.write("data", WORKING + ENDLESS)
    processes = book.end(1, signal.SIGTERM, "profile", "cnn/data")
    assert len(processes) >= 2
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert alive == []
    assert book.errors.endswith("stopped\n")


def test_two_builds_at_once_wait_for_each_other_and_share_what_they_compute(book):
    book.log.write_text("")
    first, second = book.start(), book.start()
    said = [build.communicate(timeout=PATIENCE)[0] for build in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert book.executed() == ["data", "plain"]
    assert sum("another build is running" in text for text in said) == 1
    assert book.build() == []


def test_on_a_drive_without_locks_a_book_is_built_and_found_again(book, tmp_path):
    refusing = without_locks(book.folder, tmp_path)
    assert book.build(**refusing) == ["data", "plain"]
    assert "can hold no lock" in book.said
    assert book.build(**refusing) == []


def test_a_page_that_was_damaged_since_is_written_again_and_a_whole_one_is_not(book):
    book.build()
    page = book.folder / "_build" / "html" / "cnn" / "plain.html"
    before = page.stat().st_mtime_ns
    assert book.build() == []
    assert page.stat().st_mtime_ns == before
    page.write_text("")
    assert book.build() == []
    assert "Chapter plain" in page.read_text()


def test_a_truncated_entry_is_noticed_and_executed_again(book):
    book.build()
    entry = entry_of(book, "plain")
    entry.write_text(entry.read_text()[:200])
    assert book.build() == ["plain"]
    assert "plain.md: its cached outputs were damaged" in book.said
    assert book.build() == []


def test_a_forged_output_is_never_rendered(book):
    book.build()
    entry = entry_of(book, "plain")
    entry.write_text(entry.read_text().replace('"plain\\n"', '"counterfeit\\n"'))
    assert "counterfeit" in entry.read_text()
    assert book.build() == ["plain"]
    assert "counterfeit" not in book.page("plain")


def test_a_forgotten_cache_executes_everything(book):
    book.build()
    shutil.rmtree(book.folder / "_build" / ".jupyter_cache")
    assert book.build() == ["data", "plain"]


def test_a_damaged_database_is_noticed_and_the_cache_rebuilt(book):
    book.build()
    database = book.folder / "_build" / ".jupyter_cache" / "global.db"
    database.write_bytes(b"not a database" + database.read_bytes()[100:])
    assert book.build() == ["data", "plain"]
    assert "the execution cache was damaged" in book.said
    assert book.build() == []
