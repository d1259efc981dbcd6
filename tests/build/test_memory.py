"""How much memory a page takes is measured as the system counts it, and a page that takes much says so."""

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import psutil
import pytest
from bookbuild import memory
from bookbuild.book import Outputs, Page
from bookbuild.check import notebooks
from bookbuild.render import launch
from rendered_book import PROVENANCE, RenderedBook
from small_book import FRONT_MATTER
from test_kernel import run_of
from test_render import text_of

from dlbook.record import Record

pytestmark = pytest.mark.quick
# Holds 100 MB, frees them, maps a file of 100 MB and reads it; before and after each step it waits.
STEPS = """
import mmap, sys
def wait():
    print(flush=True)
    sys.stdin.readline()
wait()
block = b"x" * 100_000_000
wait()
del block
wait()
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
    sum(mapped[place] for place in range(0, len(mapped), 4096))
    wait()
"""
TOO_MUCH = replace(PROVENANCE, peak_memory=1_800_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system counts otherwise")
def test_memory_of_its_own_counts_and_maps_of_files_do_not(tmp_path):
    file = tmp_path / "large"
    file.write_bytes(b"x" * 100_000_000)
    command = [sys.executable, "-c", STEPS, file]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as program, closing(memory.Watch(program.pid)) as watch:
        process, laps, resident = psutil.Process(program.pid), [], []
        for _ in range(4):
            program.stdout.readline()
            laps.append(watch.lap())
            resident.append(process.memory_info().rss)
            program.stdin.write("\n")
            program.stdin.flush()
    first, block, _, mapped = laps
    assert block - first == pytest.approx(100_000_000, rel=0.05)
    assert resident[3] - resident[0] > 95_000_000
    assert mapped - first < 5_000_000
    assert watch.peak == max(laps)
    assert memory.held(process) == 0  # it has ended


def test_what_a_program_starts_is_measured_without_it(seeing):
    inner = f"block = b'x' * 80_000_000\n{seeing.wait(80_000_000)}"
    mine = "import subprocess, sys; block = b'x' * 300_000_000"
    outer = f"{mine}; subprocess.run([sys.executable, '-c', {inner!r}])"
    printed, peak = notebooks.run_watched(sys.executable, "-c", outer)
    assert printed == ""
    assert 80_000_000 < peak < 200_000_000


def test_the_build_notes_the_most_that_a_page_has_held(tmp_path, seeing):
    run = run_of(tmp_path, f"block = b'x' * 1_200_000_000\n{seeing.wait(1_200_000_000)}\ndel block")
    assert run.execute(1) is None
    assert 1_200_000_000 < run.record.provenance.peak_memory < 2_400_000_000
    assert run.record.provenance.seconds > 0


@pytest.mark.parametrize("held", [memory.LIMIT, memory.LIMIT + 1])
def test_a_rehearsal_fails_above_the_limit(tmp_path, monkeypatch, held):
    """On the CPU, with this machine's data; the programs that it calls are told to have done their work."""

    def run_watched(*command: object, **environment: str) -> tuple[str, int]:
        seen = os.environ | environment
        assert seen["DLBOOK_DEVICE"] == "cpu"
        assert seen["DLBOOK_DATA"] == seen["TORCH_HOME"] == str(tmp_path / "mine")
        return "", held

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLBOOK_DEVICE", "cuda")
    for name in ("DLBOOK_DATA", "TORCH_HOME"):
        monkeypatch.setenv(name, "mine")
    package = f"dlbook @ git+https://github.com/someone/book@{'0' * 40}"
    notebook = tmp_path / "one.ipynb"
    notebook.write_text(package)
    installed = iter([set(), {package}])
    monkeypatch.setattr(notebooks, "new_environment", lambda folder, root, kind: folder)
    monkeypatch.setattr(notebooks, "packages", lambda programs: next(installed))
    monkeypatch.setattr(notebooks, "require_fit", lambda programs: None)
    monkeypatch.setattr(notebooks, "run_watched", run_watched)
    (tmp_path / "scratch").mkdir()
    arguments = (notebook, "http://127.0.0.1", tmp_path / "scratch", tmp_path, notebooks.Environment())
    if held > memory.LIMIT:
        with pytest.raises(notebooks.RehearsalError, match=r"held up to 1\.50 GB of memory; Binder ends"):
            notebooks.rehearse(*arguments)
    else:
        went = notebooks.rehearse(*arguments)
        assert (went.peak, went.installed) == (held, ["dlbook"])


def buttons(tmp_path, provenance) -> list[str]:
    page = Page("cnn/one", tmp_path / "one.md", f"{FRONT_MATTER}\n# Page\n")
    page.outputs = Outputs("key", Record({}, provenance, {}), tmp_path)
    context = {"header_buttons": [{"label": "download-buttons", "buttons": []}]}
    launch.add_buttons(page, tmp_path, context)
    return [button["text"] for button in context["header_buttons"][0]["buttons"]]


@pytest.mark.parametrize(
    ("provenance", "shown"),
    [
        (PROVENANCE, ["Colab", "Binder"]),
        (TOO_MUCH, ["Colab"]),
        (replace(TOO_MUCH, device="cuda"), ["Colab", "Binder"]),  # nobody knows what it takes on a CPU
    ],
)
def test_a_page_that_binder_would_end_has_no_button_for_it(tmp_path, monkeypatch, provenance, shown):
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/book")
    assert buttons(tmp_path, provenance) == shown


@pytest.mark.parametrize(("provenance", "shown"), [(PROVENANCE, "1.23 GB"), (TOO_MUCH, "1.80 GB")])
def test_a_page_that_binder_would_end_says_so(tmp_path, provenance, shown):
    book = RenderedBook(tmp_path)
    book.write_chapter("one", "Some prose.")
    book.compute("one", {}, provenance)
    book.write("times", "# Times\n\n:::{run-times}\n:::\n")
    assert book.build() == ""
    said = "hold up to 1.80 GB of memory at once. Binder has room for about 1.50 GB"
    assert (said in text_of(book.page("one"))) == (provenance is TOO_MUCH)
    assert shown in text_of(book.page("times"))
