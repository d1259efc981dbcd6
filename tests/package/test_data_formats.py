"""Formats from the web, read without trust: idx, gzip, tar, pickles."""

import gzip
import io
import os
import pickle
import re
import shutil
import struct
import tarfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from tiny_data import PATIENT, digits, idx, mutate, python2_pickle, tar, tiny_world
from torchvision.datasets import CIFAR10
from torchvision.datasets.mnist import read_image_file

from dlbook.data import DataError, archives, cifar
from dlbook.data.idx import parse

_, ARCHIVES = tiny_world()


# --- idx -----------------------------------------------------------------------------------------


def test_idx_is_read_as_torchvision_reads_it(tmp_path):
    content = digits(0)["train-images-idx3-ubyte"]
    (tmp_path / "idx").write_bytes(content)
    assert np.array_equal(parse(content), read_image_file(str(tmp_path / "idx")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with 00 00 08"),
        (b"\0\0\x0d\x01" + struct.pack(">If", 1, 1.0), "not 00 00 0d"),
        (b"\0\0\x08\x03\0\0\0\x01", "lengths of its 3 axes"),
        (idx(np.zeros((2, 3)))[:-1], r"says \(2, 3\), but 5 bytes"),
        (idx(np.zeros((2, 3))) + b"x", "but 7 bytes"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "but 0 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 8 + bytes(4), "holds nothing"),
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
    assert idx(array) == content


# --- CIFAR-10's pickles --------------------------------------------------------------------------


def test_cifar10_is_read_as_torchvision_reads_it(tmp_path, monkeypatch):
    name = "cifar-10-python.tar.gz"
    (tmp_path / name).write_bytes(ARCHIVES["cifar10"][name])
    train, test = cifar.read(tmp_path / name, 10**7)
    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path)
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(CIFAR10, "_load_meta", lambda self: None)
    for split, is_train in ((train, True), (test, False)):
        theirs = CIFAR10(str(tmp_path), train=is_train)
        images, labels = split
        assert np.array_equal(images, theirs.data.transpose(0, 3, 1, 2))
        assert labels.tolist() == theirs.targets


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
    with pytest.raises(DataError, match=r"evil\.tgz"):
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
        with pytest.raises(DataError, match="1,000,000 bytes"):
            archives.extract_tar(bomb, tmp_path / bomb.stem, limit=10**6)
        files = [path for path in (tmp_path / bomb.stem).rglob("*") if path.is_file()]
        assert sum(max(path.stat().st_size, 4096) for path in files) <= 10**6
        tally("a bomb")
    with pytest.raises(DataError, match="1,000,000 bytes"):
        archives.read_gzip(plain, limit=10**6)
    tally("a bomb")


@pytest.mark.parametrize("cut", [1, 9, 100, -1, -9])
def test_a_truncated_archive_is_named(tmp_path, tally, cut):
    path = tmp_path / "cut.tgz"
    path.write_bytes(tar({"a": bytes(5000), "b": np.random.default_rng(0).bytes(5000)})[:cut])
    for unpack in (archives.read_gzip, lambda *given: list(archives.read_tar(*given))):
        with pytest.raises(DataError, match=r"cut\.tgz"):
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
