"""The tensor cache and the readers of foreign formats: the right data, or a clear error."""

import gzip
import io
import json
import os
import pickle
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from small_web import digits, idx, python2_pickle, tar, tiny_world
from torchvision.datasets import CIFAR10
from torchvision.datasets.mnist import read_image_file

from dlbook import data
from dlbook.data import DataError, archives, cache, cifar
from dlbook.data.cache import Content
from dlbook.data.dataset import Split, checksum
from dlbook.data.idx import parse
from dlbook.data.registry import REGISTRY, is_present, state

ENTRIES, ARCHIVES = tiny_world()
# A file is written for each example: on a busy disk that takes as long as it takes.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


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
    cache.write("cifar10", directory, Content(TRAIN, TEST, "made here", "", "copy"))
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
    content = cache.read("cifar10", written)
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
    before = state("cifar10")
    loaded = data.load("cifar10")
    assert_right(loaded.train, loaded.test)
    assert "not the official files: recompressed somewhere" in loaded.source.description
    assert loaded.source.sha256 == checksum(TRAIN, TEST)
    assert "original" not in loaded.source.description.lower()
    assert before == state("cifar10") != "original"
    assert cache.read("cifar10", directory).sha256 == loaded.source.sha256
    assert data.load("cifar10").source == loaded.source


def test_a_copy_in_a_folder_that_cannot_be_written_is_good_too(directory, monkeypatch):
    foreign(directory, source="somewhere")
    before = {path: path.read_bytes() for path in (directory / "cifar10").iterdir()}

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("dlbook.data.cache.draft", read_only)
    loaded = data.load("cifar10")
    assert_right(loaded.train, loaded.test)
    assert {path: path.read_bytes() for path in (directory / "cifar10").iterdir()} == before


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
        cache.read("cifar10", directory)


def test_a_damaged_cache_without_a_source_is_named_and_no_standin_is_taken(written):
    path = written / "cifar10" / "test.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"test\.safetensors is damaged.*cannot be made anew"):
        data.load("cifar10")


def test_a_cache_that_was_made_from_other_archives_is_made_anew(directory, monkeypatch):
    content = Content(TRAIN, TEST, "", source_sha256="of another archive", origin="original")
    cache.write("cifar10", directory, content)
    with pytest.raises(DataError, match="made from other files"):
        data.load("cifar10")


def test_half_a_cache_is_none(written):
    (written / "cifar10" / "test.safetensors").unlink()
    assert not is_present("cifar10")
    assert state("cifar10") == "stand-in"


MEASURE = """
from pathlib import Path
from dlbook import data
from dlbook.data.registry import REGISTRY

def peak():
    said = Path("/proc/self/status").read_text()
    return 1024 * int(said.split("VmHWM:")[1].split()[0])

REGISTRY["cifar10"].__dict__["counts"] = (30_000, 1_000)
before = peak()
split = data.load("cifar10").train
print((peak() - before) / split.images.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's count of memory")
def test_a_warm_cache_takes_hardly_more_memory_than_the_data(directory, monkeypatch):
    monkeypatch.setitem(REGISTRY, "cifar10", replace(REGISTRY["cifar10"], counts=(30_000, 1_000)))
    images = torch.zeros(31_000, 3, 32, 32, dtype=torch.uint8)
    everything = Split(images, torch.arange(31_000) % 10, TRAIN.classes)
    cache.write("cifar10", directory, Content(everything[:30_000], everything[30_000:], "", "", "copy"))
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
            content = cache.read("cifar10", written)
        except DataError:
            return
        assert_right(content.train, content.test)
    finally:
        path.write_bytes(good)


def mutate(good: bytes, draw, header: int) -> bytes:
    """Change bytes at a place that is as often in the header as behind it."""
    limit = draw.draw(st.sampled_from([min(header, len(good) - 1), len(good) - 1]))
    place = draw.draw(st.integers(0, limit))
    new = draw.draw(st.binary(max_size=8))
    dropped = draw.draw(st.sampled_from([0, len(new), 1, len(good)]))
    return good[:place] + new + good[place + dropped :]


# --- idx -----------------------------------------------------------------------------------------


def test_idx_is_read_as_torchvision_reads_it(tmp_path):
    content = digits(0)["train-images-idx3-ubyte"]
    (tmp_path / "idx").write_bytes(content)
    assert torch.equal(parse(content), read_image_file(str(tmp_path / "idx")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with 00 00 08"),
        (b"\0\0\x0d\x01" + struct.pack(">If", 1, 1.0), "not 00 00 0d"),
        (b"\0\0\x08\x03\0\0\0\x01", "lengths of its 3 axes"),
        (idx(np.zeros((2, 3)))[:-1], r"says \(2, 3\), but 5 bytes"),
        (idx(np.zeros((2, 3))) + b"x", "but 7 bytes"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "but 0 bytes"),
    ],
)
def test_what_is_no_idx_is_refused_and_told_why(content, message):
    with pytest.raises(DataError, match=message):
        parse(content)


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: b"\0\0\x08" + tail))
def test_any_bytes_are_an_idx_file_or_an_error(content):
    try:
        array = parse(content)
    except DataError:
        return
    assert idx(array.numpy()) == content


# --- CIFAR-10's pickles --------------------------------------------------------------------------


def test_cifar10_is_read_as_torchvision_reads_it(tmp_path, monkeypatch):
    name = "cifar-10-python.tar.gz"
    (tmp_path / name).write_bytes(ARCHIVES["cifar10"][name])
    train, test = cifar.read(tmp_path / name, limit=10**7)
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path)
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(CIFAR10, "_load_meta", lambda self: None)
    for split, is_train in ((train, True), (test, False)):
        theirs = CIFAR10(str(tmp_path), train=is_train)
        assert torch.equal(split.images, torch.from_numpy(theirs.data).permute(0, 3, 1, 2))
        assert split.labels.tolist() == theirs.targets


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize("content", [Evil(), {b"data": Evil(), b"labels": []}, [eval]])
def test_a_pickle_that_calls_anything_is_not_read(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="is not read"):
        cifar.parse_batch(pickle.dumps(content, protocol=2))
    assert not Path("evil").exists()


@PATIENT
@given(st.data())
def test_a_changed_batch_gives_a_batch_or_an_error(draw):
    pixels = np.arange(2 * 3072, dtype=np.uint8).reshape(2, 3072)
    good = python2_pickle({b"data": pixels, b"labels": [0, 1]})
    try:
        found, labels = cifar.parse_batch(mutate(good, draw, header=200))
    except DataError:
        return
    assert found.shape == (len(labels), 3072)
    assert found.dtype == np.uint8


# --- archives ------------------------------------------------------------------------------------


def packed(path: Path, *members: tarfile.TarInfo, content: bytes = b"") -> Path:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(content) if member.isfile() else None)
    path.write_bytes(gzip.compress(stream.getvalue()))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, target, size
    return made


@pytest.mark.parametrize(
    "evil",
    [
        member("../outside"),
        member("inside/../../outside"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.SYMTYPE, "file"),
        member("link", tarfile.LNKTYPE, "../outside"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda evil: f"{evil.name} {evil.linkname}",
)
def test_an_archive_reaches_nothing_outside_its_folder(tmp_path, tally, evil):
    archive = packed(tmp_path / "evil.tgz", member("file"), evil, member("later"))
    with pytest.raises(DataError, match=r"evil\.tgz cannot be unpacked"):
        archives.extract_tar(archive, tmp_path / "folder", limit=10**6)
    assert {path.name for path in tmp_path.rglob("*")} <= {"evil.tgz", "folder", "file"}
    tally("an archive that reaches out")


def test_an_absolute_path_stays_inside(tmp_path, tally):
    archive = packed(tmp_path / "evil.tgz", member(str(tmp_path / "outside")))
    archives.extract_tar(archive, tmp_path / "folder", limit=10**6)
    assert not (tmp_path / "outside").exists()
    tally("an archive that reaches out")


def test_bombs_are_refused_before_they_go_off(tmp_path, tally):
    zeros = member("zeros", size=10**8)
    large = packed(tmp_path / "large.tgz", zeros, content=bytes(10**8))
    crowd = packed(tmp_path / "crowd.tgz", *(member(str(number)) for number in range(1000)))
    plain = tmp_path / "plain.gz"
    plain.write_bytes(gzip.compress(bytes(10**8)))
    for bomb in (large, crowd):
        with pytest.raises(DataError, match="unpacks to more than 1,000,000 bytes"):
            archives.extract_tar(bomb, tmp_path / bomb.stem, limit=10**6)
        files = [path for path in (tmp_path / bomb.stem).rglob("*") if path.is_file()]
        assert sum(max(path.stat().st_size, 4096) for path in files) <= 10**6
        tally("a bomb")
    with pytest.raises(DataError, match="unpacks to more than 1,000,000 bytes"):
        archives.read_gzip(plain, limit=10**6)
    tally("a bomb")


@pytest.mark.parametrize("cut", [1, 9, 100, -1, -9])
def test_a_truncated_archive_is_named(tmp_path, tally, cut):
    path = tmp_path / "cut.tgz"
    path.write_bytes(tar({"a": bytes(5000), "b": np.random.default_rng(0).bytes(5000)})[:cut])
    for unpack in (archives.read_gzip, lambda *given: list(archives.read_tar(*given))):
        with pytest.raises(DataError, match=r"cut\.tgz cannot be unpacked"):
            unpack(path, 10**6)
    tally("a truncated gzip")


@PATIENT
@given(st.data())
def test_a_changed_archive_gives_files_or_an_error(tmp_path, draw):
    good = tar({"a/b": b"content", "c": bytes(600)})
    plain = draw.draw(st.booleans())
    raw = gzip.decompress(good) if plain else good
    changed = mutate(raw, draw, header=512)
    path = tmp_path / "fuzz.tgz"
    path.write_bytes(gzip.compress(changed) if plain else changed)
    with suppress(DataError, OSError):  # an OSError: a name that no file system takes
        archives.extract_tar(path, tmp_path / "folder", limit=10**5)
    assert {found.name for found in tmp_path.iterdir()} <= {"fuzz.tgz", "folder"}
    shutil.rmtree(tmp_path / "folder", ignore_errors=True)


def test_only_one_place_unpickles():
    """What comes from the web is read by the restricted unpickler, or as weights only."""
    for path in (ROOT / "src").rglob("*.py"):
        code = path.read_text()
        assert not re.search(r"pickle\.loads?\(|weights_only=False|allow_pickle=True", code), path
        assert "torch.load(" not in code or "weights_only=True" in code, path
