"""``python -m dlbook.data``, and the weights that it brings."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_web import Server, status
from tiny_data import tiny_entry

from dlbook import data
from dlbook.data import DataError
from dlbook.data.__main__ import main
from dlbook.data.registry import REGISTRY


def weights_file(content: object) -> bytes:
    path = Path(os.environ["DLBOOK_DATA"]).parent / "weights.pth"
    torch.save(content, path)
    return path.read_bytes()


@pytest.fixture
def web(web, tmp_path, monkeypatch) -> Server:
    """With the weights, too: everything that the registry knows. Nothing is on this machine yet."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    file = REGISTRY["vgg16"].archives[0].name
    vgg16 = {file: weights_file({"features.0.weight": torch.ones(2)})}
    web.offer("vgg16", vgg16)
    entry = replace(tiny_entry("vgg16", vgg16), sources=web.sources("vgg16"))
    monkeypatch.setitem(REGISTRY, "vgg16", entry)
    return web


def test_the_list_is_what_it_shows_by_default(web, capsys, tmp_path):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", *REGISTRY]
    assert all("missing" in line and "to fetch" in line and web.address in line for line in lines[1:])
    data.load("cifar10")
    main([])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("cifar10"))
    assert "original" in line
    assert str(tmp_path / "data" / "cifar10") in line


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "flower_photos"])
def test_the_list_counts_all_that_takes_room_on_the_disk(web, name, capsys):
    main(["fetch", name])
    kept, *_ = REGISTRY[name].kept
    os.truncate(kept, 7_000_000)
    capsys.readouterr()
    main([])
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith(name))
    assert " 7 MB " in line


def test_the_list_counts_the_photographs(web, capsys):
    main(["fetch", "flower_photos"])
    os.truncate(REGISTRY["flower_photos"].location / "roses" / "0.jpg", 7_000_000)
    capsys.readouterr()
    main([])
    assert " 7 MB " in capsys.readouterr().out


def test_fetch_all_prepares_a_machine_that_then_needs_no_network(web, capsys):
    assert main(["fetch", "--all"]) == 0
    web.log.clear()
    for name in data.available():
        assert not data.load(name).source.is_standin
    assert data.fetch_checkpoint("vgg16").exists()
    assert web.log == []
    assert main(["verify"]) == 0
    assert capsys.readouterr().out.count("whole, original") == len(REGISTRY) + 1  # vgg16 also when fetched


def test_fetch_takes_no_standin_and_fails_for_the_one_that_fails(web, capsys):
    for mirror in ("one", "two"):
        web.faults[f"/{mirror}/cifar10/cifar-10-python.tar.gz"] = [status(403)]
    assert main(["fetch", "cifar10", "mnist"]) == 1
    said = capsys.readouterr()
    assert "cifar10" in said.err
    assert "403" in said.err
    assert "MNIST: 20 training" in said.out


@pytest.mark.parametrize("line", ["fetch", "fetch --all mnist", "path", "remove", "verify x", "guess"])
def test_a_wrong_command_line_exits_with_two(web, line, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(line.split())
    assert exit_.value.code == 2


@pytest.mark.parametrize("command", ["verify", "path", "remove"])
def test_what_is_not_here_is_said_to_be_missing(web, command, capsys):
    assert main([command, "mnist"]) == 1
    assert "python -m dlbook.data fetch mnist" in capsys.readouterr().err


@pytest.mark.parametrize("name", REGISTRY)
def test_verify_names_what_is_damaged(web, name, capsys, tally):
    main(["fetch", name])
    victim = REGISTRY[name].files[0]
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    capsys.readouterr()
    assert main(["verify", name]) == 1
    assert str(victim) in capsys.readouterr().err
    tally("a bit that flipped on the disk")


def test_verify_notices_another_photograph(web, capsys):
    main(["fetch", "flower_photos"])
    (REGISTRY["flower_photos"].location / "roses" / "mine.jpg").write_bytes(b"a photograph")
    assert main(["verify", "flower_photos"]) == 1
    assert "added" in capsys.readouterr().err
    main(["fetch", "flower_photos"])
    assert main(["verify", "flower_photos"]) == 0


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "flower_photos"])
def test_a_damaged_cache_is_made_anew_where_a_source_answers(web, name, tally):
    whole = data.load(name)
    for path in REGISTRY[name].location.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert data.load(name).source == whole.source
    assert main(["verify", name]) == 0
    tally("a damaged cache")


@pytest.mark.parametrize("name", REGISTRY)
def test_path_and_remove(web, name, capsys):
    main(["fetch", name])
    capsys.readouterr()
    assert main(["path", name]) == 0
    assert Path(capsys.readouterr().out.strip()).exists()
    assert main(["remove", name]) == 0
    assert main(["path", name]) == 1
    left = [path for path in REGISTRY[name].directory.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []


def test_remove_takes_a_part_of_the_weights(web):
    entry = REGISTRY["vgg16"]
    entry.directory.mkdir(parents=True)
    (entry.directory / f"{entry.archives[0].name}.part").write_bytes(b"half")
    assert main(["remove", "vgg16"]) == 0
    assert [path for path in entry.directory.iterdir() if path.suffix != ".lock"] == []


def test_a_photograph_that_is_replaced_by_one_of_the_same_size_is_noticed(web, capsys):
    main(["fetch", "flower_photos"])
    photo = REGISTRY["flower_photos"].location / "roses" / "0.jpg"
    photo.write_bytes(bytes(reversed(photo.read_bytes())))
    assert REGISTRY["flower_photos"].state().startswith("copy")
    assert main(["verify", "flower_photos"]) == 1
    assert "changed" in capsys.readouterr().err


def test_a_fetch_keeps_what_lies_in_the_folder_and_goes_on_where_one_was_cut_off(web, monkeypatch):
    folder = REGISTRY["flower_photos"].location
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    moved = []

    def move(source, target):
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        moved.append(shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target))

    with monkeypatch.context() as patch:
        patch.setattr("dlbook.data.photo_folders.shutil.move", move)
        assert main(["fetch", "flower_photos"]) == 1
    assert main(["fetch", "flower_photos"]) == 0
    assert REGISTRY["flower_photos"].state() == "original"
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_the_command_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "dlbook.data", "path", "mnist"]
    environment = os.environ | {"DLBOOK_DATA": str(tmp_path)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert answer.returncode == 1
    assert "not on this machine" in answer.stderr


# --- weights -------------------------------------------------------------------------------------


def test_weights_lie_where_torchvision_looks_for_them(web, tmp_path):
    assert data.fetch_checkpoint("vgg16").parent == Path(torch.hub.get_dir()) / "checkpoints"
    web.log.clear()
    name = REGISTRY["vgg16"].archives[0].name
    loaded = torch.hub.load_state_dict_from_url(f"https://nowhere.invalid/{name}", weights_only=True)
    assert loaded["features.0.weight"].tolist() == [1, 1]


def test_weights_that_only_bear_the_name_are_not_loaded_but_set_aside(web, monkeypatch):
    path = data.fetch_checkpoint("vgg16")
    right, other = path.read_bytes(), weights_file({"features.0.weight": torch.zeros(2)})
    path.write_bytes(other)
    assert REGISTRY["vgg16"].state().startswith("copy ")
    with monkeypatch.context() as patch:
        patch.setitem(REGISTRY, "vgg16", replace(REGISTRY["vgg16"], sources=()))
        with pytest.raises(DataError, match=r"is damaged: its SHA-256.*cannot be fetched now"):
            data.fetch_checkpoint("vgg16")
    assert path.read_bytes() == other
    assert data.fetch_checkpoint("vgg16").read_bytes() == right
    assert path.with_name(f"{path.name}.damaged").read_bytes() == other


@pytest.mark.parametrize("name", ["mnist", "cifar10", "fashion_mnist", "vgg16"])
def test_what_fetch_did_not_bring_is_not_removed(web, capsys, name):
    """A user's own copy bears the name of what would be fetched."""
    main(["fetch", name])
    entry = REGISTRY[name]
    own = entry.files[0]
    if own.suffix == ".safetensors":
        save_file(load_file(own), own, {"classes": json.dumps(entry.classes), "source": "mine"})
    else:
        own.write_bytes(b"mine")
    content = own.read_bytes()
    capsys.readouterr()
    assert main(["remove", name]) == 0
    assert str(own) in capsys.readouterr().out
    assert own.read_bytes() == content
    assert [file for file in entry.files if file.exists()] == [own]


def test_without_a_source_missing_weights_are_named(web):
    for mirror in ("one", "two"):
        web.faults[f"/{mirror}/vgg16/{REGISTRY['vgg16'].archives[0].name}"] = [status(404)]
    with pytest.raises(DataError, match="VGG16 trained on ImageNet is not in"):
        data.fetch_checkpoint("vgg16")
    with pytest.raises(DataError, match="unknown weights"):
        data.fetch_checkpoint("mnist")
    with pytest.raises(DataError, match="unknown data set"):
        data.load("vgg16")
