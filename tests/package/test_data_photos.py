"""Photographs: any kind of file becomes the same kind of tensor, and its bytes alone choose its split."""

import io
import os
import shutil
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_web import ARCHIVES, ENTRIES, entries
from tiny_data import flower_photos, jpeg
from torchvision.models import VGG16_Weights
from torchvision.transforms import functional

from dlbook import data
from dlbook.data import DataError, photos
from dlbook.data.__main__ import main
from dlbook.data.registry import REGISTRY

CLASSES = REGISTRY["flower_photos"].classes


@pytest.fixture
def directory(tmp_path, monkeypatch) -> Path:
    """A data directory with forty photographs, and no source on the web."""
    monkeypatch.setitem(REGISTRY, "flower_photos", ENTRIES["flower_photos"])
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path))
    monkeypatch.delenv("DLBOOK_STANDINS", raising=False)
    for name, content in flower_photos().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def encoded(image: Image.Image, kind: str = "png", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def rows(split: data.Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


# --- decoding ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(300, 401), (401, 300), (256, 256), (240, 319), (700, 523)])
def test_vgg_s_own_transform_gives_the_same_from_the_tensor_as_from_the_photograph(height, width):
    """Cut to 256 pixels here and to 224 there, as VGG16's weights ask for."""
    content = jpeg(np.random.default_rng(height), height, width)
    transform = VGG16_Weights.IMAGENET1K_V1.transforms()
    with Image.open(io.BytesIO(content)) as photo:
        expected = transform(photo)
    assert torch.equal(transform(photos.decode(content, 256)), expected)


# How the sensor's rows lie in the file, by the EXIF standard's number for it.
ORIENTATIONS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_photograph_is_upright_however_the_camera_was_held(orientation):
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3) * 5
    turn, upright = ORIENTATIONS[orientation], Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(upright.transpose(turn) if turn is not None else upright, exif=exif)
    assert torch.equal(photos.decode(content, 4), torch.from_numpy(pixels).permute(2, 0, 1))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_kind_of_color_becomes_rgb(mode):
    photo = Image.new("RGB", (20, 24), (200, 100, 50)).convert(mode)
    kind = "jpeg" if mode in ("CMYK", "YCbCr") else "png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = photos.decode(encoded(photo, kind), 16)
    assert image.shape == (3, 16, 16)
    assert image.dtype == torch.uint8
    expected = functional.pil_to_tensor(photo.convert("RGB"))[:, :16, :16].float()
    assert (image.float().mean() - expected.mean()).abs() < 3


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_gray_levels_of_16_bits_keep_their_brightness(kind):
    levels = np.arange(0, 2**16, 2**8, dtype=np.uint16).reshape(16, 16)
    content = encoded(Image.fromarray(levels), kind)
    assert photos.decode(content, 16)[0].tolist() == (levels // 256).tolist()


def with_a_broken_description() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    whole = encoded(Image.new("RGB", (20, 20), (9, 9, 9)), "jpeg", exif=exif)
    return whole.replace(b"\x01\x0e\x00\x02\x00\x00\x00\x0e", b"\x01\x0e\x00\x02\x00\x00\xff\x0e")


def of_a_palette_with_transparent_colors() -> bytes:
    photo = Image.new("RGB", (20, 20), (9, 9, 9)).convert("P")
    return encoded(photo, transparency=bytes(range(256)))


# --- a folder of them ----------------------------------------------------------------------------


def test_a_photograph_that_cannot_be_decoded_is_left_out_and_named(directory, tally):
    whole = jpeg(np.random.default_rng(9))
    bad = {
        "truncated.jpg": whole[: len(whole) // 2],
        "empty.jpg": b"",
        "page.jpg": b"<html>not found</html>",
        "bomb.png": encoded(Image.new("1", (20_000, 20_000))),
    }
    for name, content in bad.items():
        (directory / "flower_photos" / "roses" / name).write_bytes(content)
        tally("a photograph that cannot be decoded")
    loaded = data.load("flower_photos")
    assert len(loaded.train) + len(loaded.test) == 40
    assert all(f"roses/{name} (cannot be decoded)" in repr(loaded) for name in bad if name != "bomb.png")
    assert "roses/bomb.png (larger than Pillow decodes)" in repr(loaded)


@pytest.mark.parametrize("level", [np.float32(0.5), np.int32(2**20), np.int32(200), np.int32(-9)])
def test_a_photograph_whose_scale_nobody_knows_is_not_taken_for_black_or_white(directory, level):
    content = encoded(Image.fromarray(np.full((20, 20), level)), "tiff")
    (directory / "flower_photos" / "roses" / "measured.tiff").write_bytes(content)
    loaded = data.load("flower_photos")
    assert len(loaded.train) + len(loaded.test) == 40
    assert "roses/measured.tiff (of numbers whose scale the file does not say" in repr(loaded)


@pytest.mark.parametrize("made", [with_a_broken_description, of_a_palette_with_transparent_colors])
def test_what_pillow_warns_of_is_decoded_without_a_word(directory, made):
    """A warning in a page would fail it."""
    (directory / "flower_photos" / "roses" / "odd").write_bytes(made())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = data.load("flower_photos")
    assert len(loaded.train) + len(loaded.test) == 41


def test_names_that_are_no_text_and_links_that_lead_nowhere_hold_nothing_up(directory):
    roses = directory / "flower_photos" / "roses"
    (roses / "nowhere.jpg").symlink_to("gone.jpg")
    (roses / os.fsdecode(b"\xff.jpg")).write_bytes(jpeg(np.random.default_rng(7)))
    (roses / os.fsdecode(b"\xfe.jpg")).write_bytes(b"no photograph")
    loaded = data.load("flower_photos")
    assert len(loaded.train) + len(loaded.test) == 41
    print(loaded)


def test_another_photograph_moves_no_other(directory):
    before = data.load("flower_photos")
    for number in range(30):
        path = directory / "flower_photos" / "tulips" / f"new-{number}.jpg"
        path.write_bytes(jpeg(np.random.default_rng(100 + number)))
    after = data.load("flower_photos")
    assert len(after.train) + len(after.test) == 70
    assert rows(before.train) < rows(after.train)
    assert rows(before.test) < rows(after.test)


def test_the_second_load_decodes_only_a_few_to_compare(directory, monkeypatch):
    first = data.load("flower_photos")
    decoded, decode = [], photos.decode
    monkeypatch.setattr(photos, "decode", lambda content, size: decoded.append(size) or decode(content, size))
    second = data.load("flower_photos")
    assert 0 < len(decoded) <= 2 * photos.LOOKS < len(first.train) + len(first.test)
    assert torch.equal(first.train.images, second.train.images)
    assert first.source == second.source


def test_duplicates_never_straddle_the_split(directory):
    for path in list((directory / "flower_photos").rglob("*.jpg")):
        path.with_name(f"copy-of-{path.name}").write_bytes(path.read_bytes())
    loaded = data.load("flower_photos")
    assert len(loaded.train) + len(loaded.test) == 80
    assert rows(loaded.train).isdisjoint(rows(loaded.test))


def test_about_fifteen_percent_are_the_test():
    random = np.random.default_rng(0)
    made = [photos.Photo(Path(), 0, random.bytes(32)) for _ in range(20_000)]
    assert sum(photo.is_test for photo in made) / len(made) == pytest.approx(0.15, abs=0.01)


def test_labels_follow_the_folders_and_classes_are_mixed(directory):
    train = data.load("flower_photos").train
    for image, label in zip(train.images[:5], train.labels[:5].tolist(), strict=True):
        folder = directory / "flower_photos" / CLASSES[label]
        assert any(torch.equal(photos.decode(path.read_bytes(), 16), image) for path in folder.iterdir())
    assert len(train.labels[:10].unique()) > 2


def test_a_folder_of_unknown_origin_is_not_called_the_original(directory):
    description = data.load("flower_photos").source.description
    assert "not the official files: 40 photographs" in description
    assert REGISTRY["flower_photos"].state().startswith("copy")


def test_one_s_own_photographs_are_there_although_no_source_answers(directory, capsys):
    """No archive can be had that could tell whether they are the official ones."""
    assert main(["fetch", "flower_photos"]) == 0
    said = capsys.readouterr().out
    assert "not the official files: 40 photographs" in said
    assert "The archive, which tells whose they are, cannot be had" in said


def test_the_state_is_the_same_with_and_without_the_cache(directory):
    before = REGISTRY["flower_photos"].state()
    data.load("flower_photos")
    assert REGISTRY["flower_photos"].state() == before
    (directory / "flower_photos" / "roses" / "0.jpg").unlink()
    assert REGISTRY["flower_photos"].state() != before


def test_photographs_from_the_official_archive_are_the_original_until_one_changes(directory):
    folder = directory / "flower_photos"
    (folder / "flower_photos.tgz").write_bytes(ARCHIVES["flower_photos"]["flower_photos.tgz"])
    for name in (".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Icon\r"):
        (folder / "roses" / name).write_bytes(b"of the system")
    assert "original files" in data.load("flower_photos").source.description
    assert REGISTRY["flower_photos"].state() == "original"
    (folder / "roses" / "mine.jpg").write_bytes(jpeg(np.random.default_rng(5)))
    assert "not the official files" in data.load("flower_photos").source.description
    assert REGISTRY["flower_photos"].state().startswith("copy")


def test_photographs_that_were_just_decoded_fill_no_memory(directory):
    """As always later, they are mapped: they share their memory with the file, and a change of it shows."""
    images = data.load("flower_photos").train.images
    with (directory / "flower_photos" / "train.safetensors").open("r+b") as file:
        file.seek(-images.nbytes, os.SEEK_END)
        file.write(bytes(images.nbytes))
    assert not images.any()


def test_photographs_in_a_full_or_read_only_folder_are_decoded_each_time(directory, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dlbook.data.cache._save", full)
    assert len(data.load("flower_photos").train) > 0
    assert list((directory / "flower_photos").glob("*.safetensors")) == []


def test_a_folder_without_photographs_is_named(directory):
    for path in (directory / "flower_photos").rglob("*.jpg"):
        path.unlink()
    with pytest.raises(DataError, match=r"flower_photos.*empty"):
        data.load("flower_photos")


@pytest.fixture
def fetched(server, directory, monkeypatch) -> Path:
    """The folder of the photographs, all of which a source serves, and some of which are gone here."""
    monkeypatch.setitem(REGISTRY, "flower_photos", entries(server)["flower_photos"])
    folder = directory / "flower_photos"
    shutil.rmtree(folder / "tulips")
    (folder / "roses" / "1.jpg").unlink()
    (folder / "notes.txt").write_text("mine")
    return folder


def test_a_fetch_that_was_cut_off_is_taken_up(fetched):
    assert "original files" in data.load("flower_photos").source.description
    assert REGISTRY["flower_photos"].state() == "original"
    assert (fetched / "notes.txt").read_text() == "mine"


def test_a_fetch_that_is_killed_while_it_moves_is_taken_up_and_never_taken_for_whole(fetched, monkeypatch):
    """Killed before each of its steps, one after the other."""
    move, moves = shutil.move, []

    def killed(*where):
        if len(moves) % 2:
            moves.append(where)
            raise KeyboardInterrupt
        moves.append(where)
        return move(*where)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "move", killed)
        for _ in range(3):
            with suppress(KeyboardInterrupt):
                data.load("flower_photos")
            assert REGISTRY["flower_photos"].state() in ("stand-in", "original")
    assert "original files" in data.load("flower_photos").source.description
    assert moves


@pytest.mark.parametrize("archive", ["is fetched", "lies there"])
@pytest.mark.parametrize("name", ["mine.jpg", "0.jpg"])
def test_one_s_own_photographs_are_not_mixed_with_fetched_ones(fetched, name, archive):
    if archive == "lies there":
        (fetched / "flower_photos.tgz").write_bytes(ARCHIVES["flower_photos"]["flower_photos.tgz"])
    mine = fetched / "roses" / name
    mine.write_bytes(b"my own")
    with pytest.raises(DataError, match="lacks the folder of a class"):
        data.fetch("flower_photos")
    assert mine.read_bytes() == b"my own"
    assert not (fetched / "tulips").exists()
