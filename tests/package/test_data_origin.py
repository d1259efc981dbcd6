"""What is called the original is what was published: its content says so, and not what it says of itself."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open
from small_web import ARCHIVES, same

from dlbook import data
from dlbook.data import cache
from dlbook.data.__main__ import main
from dlbook.data.dataset import Content, Split, checksum
from dlbook.data.files import sha256_of
from dlbook.data.image_sets import ImageSet
from dlbook.data.registry import REGISTRY

pytestmark = pytest.mark.usefixtures("web")

PACKED = ("fashion_mnist", "cifar10")
KEPT = (*PACKED, "flower_photos")


def cut_off(name: str, monkeypatch) -> None:
    """Take the network away."""
    monkeypatch.setitem(REGISTRY, name, replace(REGISTRY[name], sources=()))


def negated(split: Split) -> Split:
    return Split(255 - split.images, split.labels, split.classes)


def relabeled(split: Split) -> Split:
    return Split(split.images, split.labels.flip(0), split.classes)


def forge(entry: ImageSet, change) -> None:
    """Change the training images in the cache, which says what it said, with right checksums."""
    content = cache.read(entry)
    train, test = change(content.train), content.test
    cache.write(entry, replace(content, train=train, sha256=checksum(train, test)))


@pytest.mark.parametrize("name", KEPT)
def test_a_cache_of_the_time_before_archives_were_kept_is_no_copy_for_good(name):
    """The build brings what proves it, as it brings data that are not there."""
    data.load(name)
    assert not REGISTRY[name].lacks_proof()
    for archive in REGISTRY[name].kept:
        archive.unlink()
    assert REGISTRY[name].state().startswith("copy ")
    assert REGISTRY[name].lacks_proof()
    assert main(["fetch", name]) == 0
    assert REGISTRY[name].state() == "original"
    assert not REGISTRY[name].lacks_proof()


@pytest.mark.parametrize("change", [negated, relabeled])
@pytest.mark.parametrize("name", PACKED)
def test_other_images_under_the_original_s_name_are_a_copy(name, change, monkeypatch, capsys):
    data.load(name)
    assert REGISTRY[name].state() == "original"
    forge(REGISTRY[name], change)
    cut_off(name, monkeypatch)
    assert REGISTRY[name].state().startswith("copy ")
    assert "not the official files" in data.load(name).source.description
    assert main(["verify", name]) == 1
    assert f"{REGISTRY[name].files[0]} says that it is made of the original files" in capsys.readouterr().err


@pytest.mark.parametrize("name", PACKED)
def test_a_cache_that_somebody_wrote_is_a_copy_whatever_it_says(name, truth, monkeypatch, capsys):
    """Without the archives, not even the right images prove what they are; a fetch brings the proof."""
    entry, right = REGISTRY[name], truth[name]
    source_sha256 = str(entry._made_from("original"))
    cache.write(entry, Content(right.train, right.test, "the original files", source_sha256, "original"))
    assert entry.state().startswith("copy ")
    loaded = data.load(name)
    assert same(loaded, right)
    assert "not the official files" in loaded.source.description
    assert main(["verify", name]) == 1
    assert f"python -m dlbook.data fetch {name}" in capsys.readouterr().err
    assert main(["fetch", name]) == 0
    assert entry.state() == "original"
    assert data.load(name).source == right.source
    assert main(["verify", name]) == 0
    cut_off(name, monkeypatch)
    shutil.rmtree(entry.location)
    cache.write(entry, Content(right.train, right.test, "the original files", source_sha256, "original"))
    assert main(["fetch", name]) == 1
    assert "cannot be had" in capsys.readouterr().err


@pytest.mark.parametrize("name", KEPT)
def test_a_damaged_archive_proves_nothing_and_is_fetched_again(name, capsys):
    main(["fetch", name])
    (victim, *_) = (REGISTRY[name].location / archive.name for archive in REGISTRY[name].archives)
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x07")
    assert REGISTRY[name].state().startswith("copy ")
    assert REGISTRY[name].lacks_proof()
    assert main(["verify", name]) == 1
    assert f"{victim} is damaged" in capsys.readouterr().err
    assert main(["fetch", name]) == 0
    assert REGISTRY[name].state() == "original"


@pytest.mark.parametrize("name", PACKED)
def test_a_damaged_cache_is_made_anew_from_its_archives_without_a_network(name, web, monkeypatch):
    whole = data.load(name)
    cut_off(name, monkeypatch)
    victim = REGISTRY[name].files[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x07")
    assert data.load(name).source == whole.source


@pytest.fixture
def copy(truth) -> ImageSet:
    """CIFAR-10, as somebody made it who does not say what of."""
    right = truth["cifar10"]
    cache.write(REGISTRY["cifar10"], Content(right.train, right.test, "made here", "", "copy"))
    return REGISTRY["cifar10"]


def test_a_copy_that_claims_nothing_needs_no_archive(copy, truth, monkeypatch):
    """It is known by its checksum, and nothing is unpacked for it."""
    copy.kept[0].write_bytes(ARCHIVES["cifar10"][copy.kept[0].name])
    monkeypatch.setattr(type(copy), "parse", lambda *_: pytest.fail("unpacked"))
    right = truth["cifar10"]
    assert copy.state() == copy.identity_of(checksum(right.train, right.test))
    assert main(["verify", "cifar10"]) == 0


def test_a_damaged_archive_is_named_and_fetched_again_beside_a_copy_too(copy, monkeypatch, capsys):
    copy.kept[0].write_bytes(b"damaged")
    assert main(["verify", "cifar10"]) == 1
    assert f"{copy.kept[0]} is damaged" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        cut_off("cifar10", patch)
        assert main(["fetch", "cifar10"]) == 1
    assert "the archives of cifar10 cannot be had" in capsys.readouterr().err
    assert main(["fetch", "cifar10"]) == 0
    assert main(["verify", "cifar10"]) == 0
    assert copy.state().startswith("copy ")


@pytest.mark.parametrize("is_remade", [True, False])
@pytest.mark.parametrize("is_damaged", [True, False])
def test_photographs_get_back_the_archive_that_proves_them_whatever_their_cache_says(
    is_damaged, is_remade, capsys
):
    """A cache that is made in the meantime knows of no original."""
    data.load("flower_photos")
    entry = REGISTRY["flower_photos"]
    for path in (*entry.files, *entry.kept):
        path.unlink()
    if is_damaged:
        entry.kept[0].write_bytes(b"damaged")
    if is_remade:
        data.load("flower_photos")
    assert entry.state().startswith("copy ")
    assert main(["verify", "flower_photos"]) == int(is_damaged)
    assert (f"{entry.kept[0]} is damaged" in capsys.readouterr().err) == is_damaged
    assert main(["fetch", "flower_photos"]) == 0
    assert "The original files" in capsys.readouterr().out
    assert entry.state() == "original"
    assert main(["verify", "flower_photos"]) == 0


def test_a_cache_without_its_photographs_is_a_copy_for_which_nothing_is_fetched(web, capsys):
    """No archive could prove what it was made from."""
    data.load("flower_photos")
    entry = REGISTRY["flower_photos"]
    for path in entry.location.iterdir():
        if path not in entry.files:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    web.log.clear()
    assert not entry.lacks_proof()
    assert main(["verify", "flower_photos"]) == 0
    assert main(["fetch", "flower_photos"]) == 0
    assert "not the official files" in capsys.readouterr().out
    assert web.log == []


def test_the_archive_of_another_folder_proves_nothing(tmp_path, monkeypatch):
    """Even where the two look alike from outside."""
    data.load("flower_photos")
    entry = REGISTRY["flower_photos"]
    assert entry.state() == "original"
    shutil.copytree(tmp_path / "data", tmp_path / "other")
    before, size = entry.kept[0].stat(), entry.archives[0].size
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "other"))
    entry.kept[0].write_bytes(bytes(size))
    os.utime(entry.kept[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert entry.state().startswith("copy ")


@pytest.mark.parametrize("missing", ["flower_photos.tgz", "roses"])
def test_photographs_say_where_they_are_from_and_their_cache_does_not(missing):
    data.load("flower_photos")
    folder = REGISTRY["flower_photos"].location
    (folder / missing).rename(folder / "elsewhere")
    assert said_of(folder / "train.safetensors")["origin"] == "original"
    assert REGISTRY["flower_photos"].state().startswith("copy ")
    assert "not the official files" in data.load("flower_photos").source.description


def test_photographs_that_somebody_changed_are_a_copy_whatever_is_written_beside_them(capsys):
    data.load("flower_photos")
    entry = REGISTRY["flower_photos"]
    (entry.location / "roses" / "0.jpg").write_bytes((entry.location / "tulips" / "0.jpg").read_bytes())
    photographs = sorted(entry.location.glob("*/*.jpg"))
    lines = [f"{sha256_of(path)}  {path.relative_to(entry.location)}\n" for path in photographs]
    (entry.location / ".unpacked").write_text("".join(lines))
    content = replace(entry._decoded().completed(), origin="original")
    cache.write(entry, content)
    assert entry.state().startswith("copy ")
    assert "not the official files" in data.load("flower_photos").source.description
    main(["verify", "flower_photos"])
    assert "original" not in capsys.readouterr().out


@pytest.mark.parametrize("change", [negated, relabeled])
def test_a_cache_of_other_images_beside_the_photographs_is_made_anew(change, monkeypatch):
    whole = data.load("flower_photos")
    forge(REGISTRY["flower_photos"], change)
    cut_off("flower_photos", monkeypatch)
    loaded = data.load("flower_photos")
    assert same(loaded, whole)
    assert loaded.source == whole.source


def test_a_cache_of_another_decoder_is_as_good():
    data.load("flower_photos")
    entry = REGISTRY["flower_photos"]
    forge(entry, lambda split: Split(split.images ^ 1, split.labels, split.classes))
    forged = cache.read(entry)
    assert same(data.load("flower_photos"), forged)


def test_verify_decodes_the_photographs_again(capsys):
    data.load("flower_photos")
    assert main(["verify", "flower_photos"]) == 0
    forge(REGISTRY["flower_photos"], negated)
    assert main(["verify", "flower_photos"]) == 1
    assert "hold other images than the photographs" in capsys.readouterr().err
    for path in REGISTRY["flower_photos"].files:
        path.unlink()
    assert main(["fetch", "flower_photos"]) == 0
    assert main(["verify", "flower_photos"]) == 0


def said_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()
