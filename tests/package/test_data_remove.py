"""``python -m dlbook.data remove``: what fetch brought goes, whole or not, and nothing else."""

import shutil
from pathlib import Path

import pytest

from dlbook import data
from dlbook.data.__main__ import main
from dlbook.data.registry import REGISTRY

pytestmark = pytest.mark.usefixtures("web")


def test_remove_keeps_photographs_that_it_did_not_bring(capsys):
    data.load("flower_photos")
    folder = REGISTRY["flower_photos"].location
    (folder / "flower_photos.tgz").unlink()
    data.load("flower_photos")
    assert main(["remove", "flower_photos"]) == 0
    assert "kept" in capsys.readouterr().out
    assert len(list(folder.rglob("*.jpg"))) == 40
    assert not list(folder.glob("*.safetensors"))


def test_remove_keeps_what_a_user_put_beside_the_photographs_or_changed(capsys):
    main(["fetch", "flower_photos"])
    folder = REGISTRY["flower_photos"].location
    own = [
        folder / "notes.txt",
        folder / "roses" / "0.jpg",
        folder / "roses" / "mine.jpg",
        folder / "x" / "y",
    ]
    (folder / "x").mkdir()
    for path in own:
        path.write_bytes(b"mine")
    capsys.readouterr()
    assert main(["remove", "flower_photos"]) == 0
    said = capsys.readouterr().out
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == own
    assert all(str(path) in said for path in own)


@pytest.mark.parametrize("has_archive", [True, False])
def test_remove_keeps_a_cache_of_photographs_that_are_not_here(has_archive, capsys):
    """A user's own copy, which nothing could make again."""
    main(["fetch", "flower_photos"])
    entry = REGISTRY["flower_photos"]
    for path in entry.location.iterdir():
        if path not in entry.files and not (has_archive and path in entry.kept):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    capsys.readouterr()
    assert main(["remove", "flower_photos"]) == 0
    said = capsys.readouterr().out
    assert all(str(file) in said and file.exists() for file in entry.files)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "flower_photos"])
def test_remove_takes_what_is_left_of_a_damaged_set(name, capsys):
    main(["fetch", name])
    entry = REGISTRY[name]
    entry.files[0].unlink()
    if name == "flower_photos":
        shutil.rmtree(entry.location / "roses")
    part = entry.downloads / f"{entry.archives[0].name}.part"
    part.parent.mkdir()
    part.write_bytes(b"half")
    assert main(["remove", name]) == 0
    assert f"{name}: removed\n" in capsys.readouterr().out
    assert [path for path in entry.directory.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    assert main(["remove", name]) == 1


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "flower_photos"])
def test_remove_says_that_a_damaged_archive_stays_with_what_it_would_prove(name, capsys):
    main(["fetch", name])
    (victim, *_) = REGISTRY[name].kept
    victim.write_bytes(b"damaged")
    capsys.readouterr()
    assert main(["remove", name]) == 0
    assert victim.exists()
    assert str(victim) in capsys.readouterr().out


def test_remove_follows_no_path_out_of_its_folder(tmp_path):
    main(["fetch", "flower_photos"])
    roses = REGISTRY["flower_photos"].location / "roses"
    outside = Path(shutil.move(roses, tmp_path / "outside"))
    roses.symlink_to(outside)
    main(["remove", "flower_photos"])
    assert len(list(outside.iterdir())) == 8
