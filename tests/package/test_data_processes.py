"""Processes that die, that meet, and that find the disk full, as they make a data set."""

import multiprocessing
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
from data_child import load_in_child
from small_web import (
    ARCHIVES,
    ENTRIES,
    NAMES,
    Server,
    entries,
    final_content,
    in_pieces,
    same,
)
from tiny_data import final_files

from dlbook import data
from dlbook.data import DataError, Dataset
from dlbook.data.registry import REGISTRY

pytestmark = pytest.mark.slow

# From the forks of one clean process, so that a hundred processes take no longer than their work.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [f"dlbook.data.{name}" for name in ("loading", "fetching", "cache", "cifar", "idx", "photos")]
)


def start(directory: Path, server: Server, name: str, report: Path | str = "", limit: int = 0):
    """Start a process that loads a data set, and return it when it begins to."""
    begun = PROCESSES.Event()
    told = (begun, str(directory), entries(server), name, str(report), limit)
    child = PROCESSES.Process(target=load_in_child, args=told)
    child.start()
    begun.wait(60)
    return child


def moment(directory: Path, name: str) -> str:
    """Say how far a process had come when it was killed."""
    if len(final_content(directory, name)) == len(final_files(name)):
        return "after the last rename"
    if any(directory.rglob("*.draft")) or final_content(directory, name):
        return "while it wrote"
    if any(directory.rglob("*.part")):
        return "in a download"
    return "between" if any(directory.rglob("*")) else "before the first file"


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_process_leaves_nothing_that_is_trusted(server, tmp_path, truth, tally, monkeypatch, name):
    """25 times for each data set; the next process often starts from what the last one left."""
    for file in ARCHIVES[name]:
        server.faults[f"/one/{name}/{file}"] = [in_pieces]
    draw = random.Random(name)
    child = start(tmp_path / "calibration", server, name)
    begun = time.perf_counter()
    child.join()
    duration = time.perf_counter() - begun
    monkeypatch.setenv("DLBOOK_STANDINS", "never")
    for number in range(25):
        directory = tmp_path / str(number // 3)
        child = start(directory, server, name)
        child.join(draw.uniform(0, 0.9) * duration)
        child.kill()
        child.join()
        tally(f"SIGKILL {moment(directory, name)}")
        require_nothing_wrong(directory, name, truth[name], monkeypatch)
        if number % 3 == 2:
            report = tmp_path / "report"
            start(directory, server, name, report).join()
            assert report.read_text() == truth[name].source.sha256
            assert not any(directory.rglob("*.draft"))


def require_nothing_wrong(directory: Path, name: str, right: Dataset, monkeypatch) -> None:
    """Load what lies there, without a network: the right data, or an error that it is not there."""
    monkeypatch.setenv("DLBOOK_DATA", str(directory))
    monkeypatch.setitem(REGISTRY, name, replace(ENTRIES[name], sources=()))
    entry = REGISTRY[name]
    if (directory / "flower_photos").exists() and not all(file.exists() for file in entry.files):
        # Every photograph of the archive is there: they come to their place all at once.
        assert entry.state() == "original"
        return  # to load would go on with the work of the one that was killed; the next process does
    try:
        assert same(data.load(name), right)
    except DataError as error:
        assert "no source is known" in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_thirty_processes_download_once(server, tmp_path, truth, tally, name):
    for file in ARCHIVES[name]:
        server.faults[f"/one/{name}/{file}"] = [in_pieces]
    reports = [tmp_path / str(number) for number in range(30)]
    children = [start(tmp_path / "data", server, name, report) for report in reports]
    for child in children:
        child.join()
    assert {report.read_text() for report in reports} == {truth[name].source.sha256}
    once = [f"/one/{name}/{archive.name}" for archive in ENTRIES[name].archives]
    assert [path for path, _ in server.log] == once
    tally("thirty processes at once")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_full_disk_is_named_and_nothing_half_made_stays(server, tmp_path, truth, tally, name, share):
    """A limit on the size of files stands for the disk's end, at an archive and at what it becomes."""
    directory, report = tmp_path / "data", tmp_path / "report"
    largest = max(map(len, ARCHIVES[name].values()))
    for limit in (largest * share, largest + (final_size(name, truth) - largest) * share):
        start(directory, server, name, report, limit=max(int(limit), 100)).join()
        said = report.read_text()
        assert said.startswith("DataError") or said == truth[name].source.sha256
        assert not any(directory.rglob("*.draft"))
        assert not any(directory.rglob("*.part"))
        tally("a full disk")
    start(directory, server, name, report).join()
    assert report.read_text() == truth[name].source.sha256


def final_size(name: str, truth: dict[str, Dataset]) -> int:
    return truth[name].train.images.nbytes
