"""The tensor cache: the right data, or a clear error."""

import json
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_data import PATIENT, mutate, tiny_world

from dlbook import data
from dlbook.data import DataError, cache
from dlbook.data.dataset import Content, Split, checksum
from dlbook.data.registry import REGISTRY

ENTRIES, _ = tiny_world()


def tiny_split(count: int, seed: int) -> Split:
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 32, 32), generator=random, dtype=torch.uint8)
    return Split(images, torch.arange(count) % 10, REGISTRY["cifar10"].classes)


TRAIN, TEST = tiny_split(20, 0), tiny_split(5, 1)


@pytest.fixture
def directory(tmp_path, monkeypatch) -> Path:
    """A data directory whose CIFAR-10 has twenty and five images, and comes from nowhere."""
    monkeypatch.setitem(REGISTRY, "cifar10", ENTRIES["cifar10"])
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path))
    monkeypatch.delenv("DLBOOK_STANDINS", raising=False)
    return tmp_path


@pytest.fixture
def written(directory) -> Path:
    """The same, with a cache of a copy in it."""
    cache.write(ENTRIES["cifar10"], Content(TRAIN, TEST, "made here", "", "copy"))
    return directory


def foreign(directory: Path, **metadata: str) -> None:
    """Lay out caches as another program does: without checksums."""
    (directory / "cifar10").mkdir(exist_ok=True)
    for name, split in (("train", TRAIN), ("test", TEST)):
        said = {"classes": json.dumps(split.classes)} | metadata
        path = directory / "cifar10" / f"{name}.safetensors"
        save_file({"images": split.images, "labels": split.labels}, path, said)


def assert_right(train: Split, test: Split) -> None:
    for ours, right in ((train, TRAIN), (test, TEST)):
        assert torch.equal(ours.images, right.images)
        assert torch.equal(ours.labels, right.labels)


# --- the tensor cache ----------------------------------------------------------------------------


def test_what_is_written_is_read_and_any_program_can_read_it(written):
    content = cache.read(ENTRIES["cifar10"])
    assert_right(content.train, content.test)
    assert content.sha256 == checksum(TRAIN, TEST)
    stored = load_file(written / "cifar10" / "train.safetensors")
    assert stored["images"].dtype == torch.uint8
    assert stored["labels"].dtype == torch.int64


def test_everyone_may_read_what_one_has_fetched(written):
    usual = written / "usual"
    usual.touch()
    modes = {path.stat().st_mode for path in [usual, *(written / "cifar10").iterdir()]}
    assert len(modes) == 1


def test_a_copy_from_elsewhere_is_taken_for_what_it_is_and_verified_from_then_on(directory):
    foreign(directory, source="recompressed somewhere")
    before = ENTRIES["cifar10"].state()
    loaded = data.load("cifar10")
    assert_right(loaded.train, loaded.test)
    assert "not the official files: recompressed somewhere" in loaded.source.description
    assert loaded.source.sha256 == checksum(TRAIN, TEST)
    assert "original" not in loaded.source.description.lower()
    assert before == ENTRIES["cifar10"].state() != "original"
    assert cache.read(ENTRIES["cifar10"]).sha256 == loaded.source.sha256
    assert data.load("cifar10").source == loaded.source


def test_two_copies_that_say_the_same_of_themselves_are_two(directory):
    """A page that one was computed on must not be shown for the other."""
    states = set()
    for split in (TRAIN, TEST):
        foreign(directory, source="somewhere")
        path = directory / "cifar10" / "test.safetensors"
        said = {"classes": json.dumps(split.classes), "source": "somewhere"}
        save_file({"images": split.images[:5], "labels": split.labels[:5]}, path, said)
        states.add(ENTRIES["cifar10"].state())
    assert len(states) == 2


def test_a_copy_in_a_folder_that_cannot_be_written_is_good_too(directory, monkeypatch):
    foreign(directory, source="somewhere")
    before = {path: path.read_bytes() for path in (directory / "cifar10").iterdir()}

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("dlbook.data.cache.draft", read_only)
    loaded = data.load("cifar10")
    assert_right(loaded.train, loaded.test)
    assert {path: path.read_bytes() for path in (directory / "cifar10").iterdir()} == before


def test_a_copy_that_appears_while_a_process_waits_for_its_turn_is_taken(directory, monkeypatch):
    """The first look fails, the second, under the lock, finds the copy, and must not lock again."""
    foreign(directory, source="somewhere")
    looks = iter([DataError("half laid out")])
    read = cache.read

    def first_too_early(*where):
        for error in looks:
            raise error
        return read(*where)

    monkeypatch.setattr(cache, "read", first_too_early)
    assert data.load("cifar10").source.sha256 == checksum(TRAIN, TEST)


def rewrite(directory: Path, **changes) -> None:
    """Write the training split anew with other tensors or metadata."""
    path = directory / "cifar10" / "train.safetensors"
    tensors = {"images": TRAIN.images, "labels": TRAIN.labels} | changes.pop("tensors", {})
    save_file(tensors, path, {"classes": json.dumps(TRAIN.classes)} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tensors": {"images": TRAIN.images[:19], "labels": TRAIN.labels[:19]}}, "19 images, not 20"),
        ({"tensors": {"images": TRAIN.images[:, :1].contiguous()}}, r"images of \(1, 32, 32\)"),
        ({"tensors": {"images": TRAIN.images.float()}}, "float32"),
        ({"tensors": {"labels": TRAIN.labels.int()}}, "int32"),
        ({"tensors": {"labels": TRAIN.labels + 1}}, "run from 1 to 10"),
        ({"classes": json.dumps(["cat", "dog"])}, "0 to 1"),
        ({"classes": json.dumps(list("abcdefghij"))}, "has the classes"),
        ({"classes": "no JSON"}, "is damaged"),
        ({"format": "2"}, "has format 2"),
        ({"crc32": "1"}, "not those that were written"),
        ({"sha256": "1"}, "not made together"),
    ],
)
def test_a_cache_that_is_not_what_it_should_be_is_refused_and_named(directory, changes, message):
    foreign(directory)
    rewrite(directory, **changes)
    with pytest.raises(DataError, match=message):
        cache.read(ENTRIES["cifar10"])


def test_a_damaged_cache_without_a_source_is_named_and_no_standin_is_taken(written):
    path = written / "cifar10" / "test.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"test\.safetensors.*damaged"):
        data.load("cifar10")


def test_a_cache_that_was_made_from_other_archives_is_made_anew(directory, monkeypatch):
    content = Content(TRAIN, TEST, "", source_sha256="of another archive", origin="original")
    cache.write(ENTRIES["cifar10"], content)
    with pytest.raises(DataError, match="made from other files"):
        data.load("cifar10")


def test_half_a_cache_is_none(written):
    (written / "cifar10" / "test.safetensors").unlink()
    assert not ENTRIES["cifar10"].is_present()
    assert ENTRIES["cifar10"].state() == "stand-in"


MEASURE = """
from pathlib import Path
from dlbook import data
from dlbook.data import cache, fetching, loading  # what loading imports is not what it loads
from dlbook.data.registry import REGISTRY

def peak():
    said = Path("/proc/self/status").read_text()
    return 1024 * int(said.split("VmHWM:")[1].split()[0])

REGISTRY["cifar10"].__dict__["counts"] = (30_000, 1_000)
before = peak()
split = data.load("cifar10").train
print((peak() - before) / split.images.nbytes)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's count of memory")
def test_a_warm_cache_takes_hardly_more_memory_than_the_data(directory, monkeypatch):
    entry: Any = REGISTRY["cifar10"]
    monkeypatch.setitem(REGISTRY, "cifar10", replace(entry, counts=(30_000, 1_000)))
    images = torch.zeros(31_000, 3, 32, 32, dtype=torch.uint8)
    everything = Split(images, torch.arange(31_000) % 10, TRAIN.classes)
    cache.write(ENTRIES["cifar10"], Content(everything[:30_000], everything[30_000:], "", "", "copy"))
    answer = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert 0.9 < float(answer.stdout) < 1.3


@PATIENT
@given(st.data())
def test_a_changed_cache_gives_the_right_data_or_an_error(written, draw):
    """Whatever byte changes, is cut off or comes in between."""
    path = written / "cifar10" / draw.draw(st.sampled_from(["train.safetensors", "test.safetensors"]))
    good = path.read_bytes()
    try:
        path.write_bytes(mutate(good, draw, header=8 + struct.unpack("<Q", good[:8])[0]))
        try:
            content = cache.read(ENTRIES["cifar10"])
        except DataError:
            return
        assert_right(content.train, content.test)
    finally:
        path.write_bytes(good)
