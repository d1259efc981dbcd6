"""Which chapters a build executes, and how many at a time."""

import re
import shutil

import psutil
import pytest
from bookbuild.book import BookError
from bookbuild.run import workers
from small_book import ENDLESS, PATIENCE, Book
from test_render import text_of

IMPORTS = "import torch\nfrom dlbook import initial\n"
FIGURE = """See {numref}`fig-mark`, and {ref}`another page's part <a-place>`.

```{image} ../_static/mark.svg
```

:::{caption} fig-mark
A mark.
:::
"""
# Goes on only when the other chapter has begun too, which one after the other they never would.
MEET = """import pathlib, time
mine, other = map(pathlib.Path, {paths!r})
mine.touch()
deadline = time.monotonic() + {patience}
while not other.exists() and time.monotonic() < deadline:
    time.sleep(0.1)
assert other.exists()
import os
print("threads", os.environ.get("OMP_NUM_THREADS"))
"""


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(tmp_path)


def test_one_chapter_alone_then_the_rest(book):
    book.write("data", "from dlbook import results\nresults.report(found=3)")
    book.write("plain", f"{IMPORTS}print(1)", prose="The other found {result}`cnn/data::found`.")
    assert book.build(DLBOOK_CHAPTERS="cnn/plain") == ["plain"]
    assert "Chapter plain" in book.page("plain")
    assert "cnn/data would execute, and is left as it is" in book.said
    assert book.build() == ["data"]
    notebook = book.folder / "_build" / "notebooks" / "cnn" / "data.ipynb"
    earlier = notebook.read_text()
    # The page shows something of its run, which its notebook must hold as text.
    book.write("data", "print('new code')", prose="It took {provenance}`seconds:.0f` seconds.")
    book.write("plain", IMPORTS + "print('newer')")
    assert book.build(DLBOOK_CHAPTERS="cnn/plain") == ["plain"]
    assert "newer" in book.page("plain")
    assert "new code" not in book.page("data")
    assert notebook.read_text() == earlier
    assert book.build() == ["data"]
    assert "new code" in book.page("data")
    assert "new code" in notebook.read_text()


def test_an_unknown_chapter_is_refused(book):
    assert book.fail(DLBOOK_CHAPTERS="cnn/nonsense") == []
    assert "no chapter cnn/nonsense: the book has cnn/data, cnn/plain" in book.errors


def test_two_chapters_run_side_by_side_and_share_the_cores(book, tmp_path):
    for name, other in (("data", "plain"), ("plain", "data")):
        paths = [str(tmp_path / name), str(tmp_path / other)]
        book.write(name, IMPORTS + MEET.format(paths=paths, patience=PATIENCE))
    assert book.build(DLBOOK_WORKERS="2", DLBOOK_DEVICE="cpu", OMP_NUM_THREADS="2") == ["data", "plain"]
    assert "threads 1" in book.page("plain")  # a user's number is for other work
    assert book.build() == []
    assert "executing cnn/data, cnn/plain" not in book.said


def test_side_by_side_one_fails_and_the_other_is_kept(book):
    book.write("data", "import os\nos._exit(1)")
    assert book.fail(DLBOOK_WORKERS="2") == ["plain"]
    assert re.search(r"cell 1 \(line 16\) of cnn/data failed: .*Kernel died", book.errors)
    book.write("data", "print('mended')")
    assert book.build(DLBOOK_WORKERS="2") == ["data"]


def test_side_by_side_an_interrupt_leaves_no_process(book):
    for name in ("data", "plain"):
        book.write(name, ENDLESS)
    below = book.interrupt(2, DLBOOK_WORKERS="2")
    assert len(below) >= 2  # two kernels
    _, alive = psutil.wait_procs(below, timeout=PATIENCE)
    assert alive == []


def test_a_page_below_one_that_was_not_asked_for(book):
    contents = book.folder / "_toc.yml"
    contents.write_text(
        "format: jb-book\nroot: index\nparts:\n- numbered: true\n  chapters:\n"
        "  - file: cnn/data\n    sections:\n    - file: cnn/plain\n"
    )
    book.write("plain", f"{IMPORTS}print('plain')", prose=FIGURE)
    book.write("data", "print('data')", prose="(a-place)=\n\n## A part\n\nSome prose.")
    (book.folder / "book" / "index.md").write_text("# Index\n\nSee {ref}`a-place` and [](cnn/data.md).\n")
    assert book.build(DLBOOK_CHAPTERS="cnn/plain") == ["plain"]
    assert "Figure 1.1" in text_of(book.page("plain"))
    waiting = text_of(book.page("data"))
    assert "Chapter data" in waiting
    assert "this build has no outputs of it" in waiting
    assert "to read" not in waiting
    assert 'href="cnn/data.html"' in (book.folder / "_build" / "html" / "index.html").read_text()
    assert book.build() == ["data"]
    assert "A part" in text_of(book.page("data"))
    assert "this build has no outputs of it" not in book.page("data")


def test_a_page_that_was_only_named_is_shown_when_its_outputs_are_taken_from_another_machine(book, tmp_path):
    other = Book(tmp_path / "other")
    other.execute()
    book.build(DLBOOK_CHAPTERS="cnn/plain")
    shutil.copytree(other.folder / "_build" / ".jupyter_cache", book.folder / "_build" / "got")
    shutil.rmtree(book.folder / "_build" / ".jupyter_cache")
    (book.folder / "_build" / "got").rename(book.folder / "_build" / ".jupyter_cache")
    assert book.build() == []
    assert "this build has no outputs of it" not in book.page("data")


def test_how_many_at_a_time(monkeypatch):
    monkeypatch.delenv("DLBOOK_WORKERS", raising=False)
    monkeypatch.setattr(workers, "cores", lambda: 16)
    available = psutil.virtual_memory()._replace(available=60_000_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: available)
    assert workers.worker_count("cpu", jobs=30) == 16
    assert workers.worker_count("cpu", jobs=3) == 3
    assert workers.worker_count("cuda", jobs=20) == 1
    scarce = available._replace(available=5_000_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: scarce)
    assert workers.worker_count("cpu", jobs=20) == 2
    monkeypatch.setenv("DLBOOK_WORKERS", "4")
    assert workers.worker_count("cuda", jobs=20) == 4
    monkeypatch.setenv("DLBOOK_WORKERS", "many")
    with pytest.raises(BookError, match="many"):
        workers.worker_count("cuda", jobs=20)


def test_the_expected_device_is_held_to(book):
    record = "from dlbook import data, results\nresults.report(data.load('mnist'), n=1)"
    book.write("data", record)
    assert book.build(DLBOOK_DEVICE="cpu", DLBOOK_EXPECT_DEVICE="cpu") == ["data", "plain"]
    assert book.fail(DLBOOK_DEVICE="cpu", DLBOOK_EXPECT_DEVICE="cuda") == []
    assert "cnn/data was computed on cpu; this build expects cuda" in book.errors


def test_the_run_times_page_tells_what_ran_and_what_was_cached(book):
    toc = book.folder / "_toc.yml"
    toc.write_text(toc.read_text() + "- file: times\n")
    (book.folder / "book" / "times.md").write_text("# Times\n\n:::{run-times}\n:::\n")
    record = "from dlbook import data, results\nresults.report(data.load('mnist'), n=1)"
    book.write("data", record)

    def rows():
        page = (book.folder / "_build" / "html" / "times.html").read_text()
        cells = [re.findall(r"<td><p>(.*?)</p></td>", row) for row in re.findall(r"<tr.*?</tr>", page, re.S)]
        return {re.sub("<.*?>", "", cell[0]): cell[1:] for cell in cells if cell}

    book.build()
    first = rows()
    assert first["Chapter data"][-1] == first["Chapter plain"][-1] == "executed"
    assert float(first["Chapter data"][0]) > 0
    assert re.fullmatch(r"\d+\.\d\d GB", first["Chapter data"][2])
    assert first["Chapter data"][1].endswith("(cpu)")
    book.build()
    assert rows()["Chapter data"] == [*first["Chapter data"][:-1], "cache"]
