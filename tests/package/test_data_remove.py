"""``python -m dlbook.data remove``: what fetch brought goes, whole or not, and nothing else."""

import shutil
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from small_web import first_archive

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


@pytest.mark.parametrize("number", [0, 1, 3, 6])
def test_remove_takes_what_a_fetch_brought_that_was_killed_as_it_moved(number, monkeypatch, capsys):
    """The archive that proves the photographs lies where it arrived, or already beside them."""
    move, moved = shutil.move, []

    def killed(*where):
        if len(moved) == number:
            raise KeyboardInterrupt
        moved.append(move(*where))

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(shutil, "move", killed)
        main(["fetch", "flower_photos"])
    assert len(moved) == number
    assert main(["remove", "flower_photos"]) == 0
    assert capsys.readouterr().out == "flower_photos: removed\n"
    assert not any(REGISTRY["flower_photos"].directory.glob("*flower_photos"))


def test_the_list_that_a_fetch_once_wrote_goes_with_the_next_one_and_with_the_photographs(capsys):
    main(["fetch", "flower_photos"])
    entry = REGISTRY["flower_photos"]
    written = entry.location / ".unpacked"
    written.write_text("a checksum  roses/0.jpg\n")
    entry.files[0].unlink()
    main(["fetch", "flower_photos"])
    assert not written.exists()
    written.write_text("a checksum  roses/0.jpg\n")
    capsys.readouterr()
    assert main(["remove", "flower_photos"]) == 0
    assert capsys.readouterr().out == "flower_photos: removed\n"


@pytest.mark.parametrize("name", ["mnist", "cifar10", "flower_photos"])
def test_remove_waits_for_a_fetch_and_takes_nothing_from_it(web, name):
    path, half, told, codes = f"/one/{name}/{first_archive(name)}", Event(), Event(), []

    def halt(handler, content):
        handler.answer(200, {"Content-Length": str(len(content))}, content[: len(content) // 2])
        half.set()
        told.wait(60)
        handler.wfile.write(content[len(content) // 2 :])

    web.faults[path] = [halt]
    fetch = Thread(target=lambda: codes.append(main(["fetch", name])))
    remove = Thread(target=REGISTRY[name].remove)
    fetch.start()
    assert half.wait(60)
    remove.start()
    remove.join(1)  # one that does not wait is done by then
    told.set()
    fetch.join()
    remove.join()
    assert codes == [0]
    assert [asked for asked, _ in web.log].count(path) == 1
    assert not REGISTRY[name].is_begun()


def test_remove_follows_no_path_out_of_its_folder(tmp_path):
    main(["fetch", "flower_photos"])
    roses = REGISTRY["flower_photos"].location / "roses"
    outside = Path(shutil.move(roses, tmp_path / "outside"))
    roses.symlink_to(outside)
    main(["remove", "flower_photos"])
    assert len(list(outside.iterdir())) == 8
