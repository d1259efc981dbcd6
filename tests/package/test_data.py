"""Data sets: their shape, their splits, their batches, and where they come from."""

import functools
import gzip
import hashlib
import http.server
import struct
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.datasets import CIFAR10, MNIST, FashionMNIST
from torchvision.models import VGG16_Weights

from dlbook import data
from dlbook.data import DataError, Split
from dlbook.data.entries import Archive
from dlbook.data.registry import REGISTRY


def images_of(count: int, size: int = 4) -> torch.Tensor:
    return torch.zeros(count, 1, size, size, dtype=torch.uint8)


# --- Split ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(3, 4, 4, dtype=torch.uint8), torch.zeros(3).long(), r"\(N, C, H, W\) uint8"),
        (torch.zeros(3, 1, 4, 4), torch.zeros(3).long(), "keep pixels as 0 to 255"),
        (images_of(3), torch.zeros(2).long(), r"labels must be \(3,\)"),
        (images_of(3), torch.zeros(3), "int64"),
        (images_of(0), torch.zeros(0).long(), "empty"),
        (images_of(3), torch.tensor([0, 1, 2]), "run from 0 to 2"),
    ],
)
def test_a_wrong_split_is_refused_and_told_why(images, labels, message):
    with pytest.raises(DataError, match=message):
        Split(images, labels, ("a", "b"))


def test_random_split_deals_every_image_once(two_classes):
    numbered = Split(
        torch.arange(200, dtype=torch.uint8).reshape(200, 1, 1, 1), two_classes.labels, two_classes.classes
    )
    parts = data.random_split(numbered, (0.7, 0.2, 0.1), seed=3)
    assert [len(part) for part in parts] == [140, 40, 20]
    dealt = torch.cat([part.images.flatten() for part in parts])
    assert sorted(dealt.tolist()) == list(range(200))


def test_random_split_depends_on_the_seed_only(two_classes):
    first, _ = data.random_split(two_classes, (0.5, 0.5), seed=3)
    torch.rand(5)
    again, _ = data.random_split(two_classes, (0.5, 0.5), seed=3)
    other, _ = data.random_split(two_classes, (0.5, 0.5), seed=4)
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)


def test_mnist_splits_into_fifty_and_ten_thousand():
    labels = torch.zeros(60_000).long()
    parts = data.random_split(Split(images_of(60_000, 1), labels, ("a",)), (5 / 6, 1 / 6))
    assert [len(part) for part in parts] == [50_000, 10_000]


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.5, -0.5)])
def test_fractions_that_do_not_cover_are_refused(two_classes, fractions):
    with pytest.raises(ValueError, match="sum to 1"):
        data.random_split(two_classes, fractions)


def test_an_empty_part_is_refused(two_classes):
    with pytest.raises(DataError, match="empty"):
        data.random_split(two_classes, (0.999, 0.001))


# --- batches -------------------------------------------------------------------------------------


def test_standardize_gives_mean_zero_and_deviation_one(two_classes):
    standardized = data.standardize(two_classes)(two_classes.images)
    assert standardized.dtype == torch.float32
    assert standardized.mean().abs() < 1e-5
    assert (standardized.std() - 1).abs() < 1e-4


def test_batches_keep_their_order_without_a_generator(two_classes):
    served = list(data.batches(two_classes, 64, lambda images: images))
    assert [len(labels) for _, labels in served] == [64, 64, 64, 8]
    assert torch.equal(torch.cat([images for images, _ in served]), two_classes.images)


def test_shuffled_batches_keep_images_and_labels_together(two_classes):
    generator = torch.Generator().manual_seed(0)
    (images, labels), *_ = data.batches(two_classes, 200, lambda images: images, generator)
    assert not torch.equal(labels, two_classes.labels)
    bright_below = images[:, :, 2:].float().mean(dim=(1, 2, 3)) > images[:, :, :2].float().mean(dim=(1, 2, 3))
    assert torch.equal(bright_below.long(), labels)


def test_an_empty_batch_is_refused(two_classes):
    with pytest.raises(ValueError, match="at least 1"):
        next(data.batches(two_classes, 0, lambda images: images))


# --- finding data --------------------------------------------------------------------------------


REFUSING = "http://127.0.0.1:9/"


@pytest.fixture
def no_mirror(monkeypatch):
    """Mirrors that refuse the connection, as on a train."""
    set_mirrors(monkeypatch, REFUSING)


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Twenty tiny training and ten test digits, as idx archives whose checksums the book knows."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    resources, checksums = [], {}
    for prefix, count in (("train", 20), ("t10k", 10)):
        pixels = bytes(i % 251 for i in range(count * 28 * 28))
        contents = {
            f"{prefix}-images-idx3-ubyte": struct.pack(">4i", 2051, count, 28, 28) + pixels,
            f"{prefix}-labels-idx1-ubyte": struct.pack(">2i", 2049, count)
            + bytes(i % 10 for i in range(count)),
        }
        for name, content in contents.items():
            packed = gzip.compress(content, mtime=0)
            (folder / f"{name}.gz").write_bytes(packed)
            checksum = hashlib.sha256(packed).hexdigest()
            resources.append(Archive(f"{name}.gz", len(packed), checksum))
            checksums[f"MNIST/raw/{name}"] = hashlib.sha256(content).hexdigest()
    monkeypatch.setitem(REGISTRY["mnist"].__dict__, "archives", tuple(resources))
    monkeypatch.setitem(REGISTRY["mnist"].__dict__, "unpacked", checksums)
    return folder


def set_mirrors(monkeypatch, *addresses: str) -> None:
    monkeypatch.setitem(REGISTRY["mnist"].__dict__, "sources", addresses)


@pytest.fixture
def mirror(archives, monkeypatch):
    """A server on loopback that has the archives."""
    handler = functools.partial(QuietHandler, directory=str(archives))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    set_mirrors(monkeypatch, f"http://127.0.0.1:{server.server_port}/")
    yield archives
    server.shutdown()
    thread.join(timeout=10)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    monkeypatch.setenv("DLBOOK_DATA", str(folder))
    monkeypatch.delenv("DLBOOK_STANDINS", raising=False)
    return folder


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="mnist"):
        data.load("mnits")


def test_data_are_fetched_once_and_then_read_from_disk(data_dir, mirror, monkeypatch):
    fetched = data.load("mnist")
    set_mirrors(monkeypatch, REFUSING)
    read = data.load("mnist")
    assert not read.source.is_standin
    assert fetched.train.images.shape == (20, 1, 28, 28)
    assert read.test.labels.tolist() == list(range(10))
    assert torch.equal(fetched.train.images, read.train.images)
    assert fetched.train.images[0, 0, 0, :5].tolist() == [0, 1, 2, 3, 4]


def test_the_second_mirror_serves_when_the_first_is_down(data_dir, mirror, monkeypatch):
    set_mirrors(monkeypatch, REFUSING, *REGISTRY["mnist"].sources)
    assert not data.load("mnist").source.is_standin


def test_wrong_bytes_from_a_mirror_are_never_kept(data_dir, mirror):
    for archive in mirror.iterdir():
        archive.write_bytes(b"x" * archive.stat().st_size)
    with pytest.raises(DataError, match="wrong bytes"):
        data.fetch("mnist")
    assert data.load("mnist").source.is_standin
    assert [path.name for path in data_dir.rglob("*") if path.is_file()] == [".mnist.lock"]


def test_without_data_and_host_a_standin_is_made_and_says_so(data_dir, no_mirror):
    standin = data.load("mnist")
    assert standin.source.is_standin
    assert standin._repr_html_().startswith("<p>Stand-in for MNIST: ")
    assert standin.train.images.shape[1:] == (1, 28, 28)
    assert standin.train.images.dtype == torch.uint8
    assert sorted(standin.train.labels.unique().tolist()) == list(range(10))
    assert data.load("mnist").source.sha256 == standin.source.sha256


@pytest.mark.parametrize("word", ["never", "Never", " never"])
def test_standins_can_be_forbidden(data_dir, no_mirror, monkeypatch, word):
    monkeypatch.setenv("DLBOOK_STANDINS", word)
    with pytest.raises(DataError, match="DLBOOK_DATA"):
        data.load("mnist")


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path, monkeypatch, no_mirror):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "file" / "below"))
    with pytest.raises(DataError, match=r"below.*DLBOOK_DATA"):
        data.load("mnist")


def test_a_folder_that_cannot_take_the_files_is_no_reason_for_a_standin(data_dir, mirror):
    data_dir.mkdir()
    (data_dir / "MNIST").write_text("in the way")
    with pytest.raises(DataError, match="mnist"):
        data.load("mnist")


def test_the_default_directory_is_the_users_cache(monkeypatch):
    monkeypatch.delenv("DLBOOK_DATA", raising=False)
    assert data.data_directory().name == "dlbook"
    monkeypatch.setenv("DLBOOK_DATA", "~/somewhere")
    assert data.data_directory() == Path.home() / "somewhere"


def test_the_registry_knows_every_file_that_torchvision_fetches():
    known = [archive.name for archive in REGISTRY["mnist"].archives]
    assert known == [name for name, _ in MNIST.resources]
    assert [f"{Path(file).name}.gz" for file in REGISTRY["mnist"].unpacked] == known
    fashion = REGISTRY["fashion_mnist"]
    assert [archive.name for archive in fashion.archives] == [name for name, _ in FashionMNIST.resources]
    assert set(FashionMNIST.mirrors) <= set(fashion.sources)
    official = {name: entry.sources[0] + entry.archives[0].name for name, entry in REGISTRY.items()}
    assert official["cifar10"] == CIFAR10.url
    assert official["vgg16"] == VGG16_Weights.IMAGENET1K_V1.url
    # torchvision writes the start of the weights' SHA-256 into their name.
    assert REGISTRY["vgg16"].archives[0].sha256.startswith("397923af")


@pytest.mark.parametrize("name", REGISTRY)
def test_an_entry_says_what_a_reader_and_a_download_need(name):
    entry = REGISTRY[name]
    assert entry.title
    assert entry.license
    assert entry.citation
    assert all(source.startswith("http") and source.endswith("/") for source in entry.sources)
    assert all(len(archive.sha256) == 64 and archive.size > 1000 for archive in entry.archives)


@pytest.mark.parametrize("name", data.available())
def test_a_standin_has_the_shape_and_the_classes_of_what_it_stands_for(data_dir, monkeypatch, name):
    entry = REGISTRY[name]
    monkeypatch.setitem(REGISTRY, name, replace(entry, sources=(REFUSING,)))
    standin, again = data.load(name), data.load(name)
    assert standin.source.is_standin
    assert standin.source.sha256 == again.source.sha256
    for split in (standin.train, standin.test):
        assert tuple(split.images.shape[1:]) == entry.shape
        assert split.images.dtype == torch.uint8
        assert split.classes == entry.classes
        assert len(split.labels.unique()) == len(entry.classes)
    assert 100 <= len(standin.test) < len(standin.train) <= 2000


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_a_standin_is_neither_noise_nor_trivial(name):
    """The nearest training image has the right label far more often than by chance, and not always."""
    standin = REGISTRY[name].standin.make(REGISTRY[name])
    train, test = (split.images.flatten(1).float() for split in (standin.train, standin.test))
    nearest = torch.cdist(test, train).argmin(dim=1)
    accuracy = (standin.train.labels[nearest] == standin.test.labels).float().mean()
    assert 0.3 < accuracy < 0.9
