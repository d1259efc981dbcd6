"""Pictures in a page: what a reader with a slow line has to fetch, and what keeps its place till then."""

import base64
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag
from PIL import Image
from rendered_book import RenderedBook, png

pytestmark = [pytest.mark.quick, pytest.mark.slow]

WIDTH, HEIGHT = 320, 200


def drawn(seed: int) -> np.ndarray:
    """Return a picture of soft colors, as a photograph has them: uint8, ``(HEIGHT, WIDTH, 3)``."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


@pytest.fixture
def book(tmp_path) -> RenderedBook:
    book = RenderedBook(tmp_path)
    book.write_chapter("one", "Prose.")
    book.compute("one", {}, shown=[{"image/png": png(drawn(seed))} for seed in (1, 2)])
    book.write("index", "# First page\n\n:::{page-figure} one\n:number: 2\n:::\n")
    assert book.build() == ""
    return book


def images(book: RenderedBook, page: str) -> list[Tag]:
    return BeautifulSoup(book.page(page), "html.parser").select("article img")


def file(book: RenderedBook, image: Tag) -> Path:
    return book.folder / "_build" / "html" / str(image["src"])


def test_a_picture_is_small_and_looks_the_same(book):
    for seed, image in zip((1, 2), images(book, "one"), strict=True):
        path = file(book, image)
        with Image.open(path) as shown:
            difference = np.asarray(shown.convert("RGB"), int) - drawn(seed)
        assert np.abs(difference).mean() < 2
        assert path.stat().st_size < len(base64.b64decode(png(drawn(seed)))) / 2


def test_a_picture_that_webp_would_make_larger_stays(book):
    book.write_chapter("one", "Other prose.")
    checks = np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 * 255  # every PNG row repeats another
    book.compute("one", {}, shown=[{"image/png": png(np.repeat(checks[..., None], 3, 2).astype(np.uint8))}])
    book.write("index", "# First page\n")
    assert book.build() == ""
    (image,) = images(book, "one")
    assert file(book, image).suffix == ".png"
    assert file(book, image).exists()


@pytest.mark.parametrize("shown", ["pixels", "a drawing that holds them"])
def test_a_picture_that_is_too_wide_for_webp_stays(book, shown):
    wide = png(np.zeros((2, 17_000, 3), np.uint8))
    inside = f'<image width="9" height="9" href="data:image/png;base64,{wide}"/>'
    forms = {"image/png": png(drawn(1)), "image/svg+xml": drawing(inside)}
    book.write_chapter("one", "Other prose.")
    book.compute("one", {}, shown=[{"image/png": wide} if shown == "pixels" else forms])
    book.write("index", "# First page\n")
    assert book.build() == ""
    (image,) = images(book, "one")
    content = file(book, image).read_bytes()
    assert content == base64.b64decode(wide) or wide.encode() in content


def drawing(shapes: str = "") -> str:
    """Return what matplotlib would write: a drawing with a ground and shapes."""
    ground = f'<path d="M 0 0 L {WIDTH} 0 L 0 {HEIGHT} z" style="fill: #fefefe"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{ground}{shapes}</svg>'


def show_drawing(book: RenderedBook, shapes: str = "") -> Tag:
    """Build the book with a figure in two forms, and return its image."""
    book.write_chapter("one", "Prose.")
    forms = {"image/png": png(drawn(1)), "image/svg+xml": drawing(shapes), "text/plain": "<Figure>"}
    book.compute("one", {}, shown=[forms])
    book.write("index", "# First page\n\n:::{page-figure} one\n:::\n")
    assert book.build() == ""
    (image,) = images(book, "one")
    return image


def test_a_drawing_is_shown_in_the_place_and_size_of_the_pixels(book):
    image = show_drawing(book)
    assert "var(--fillfefefe)" in file(book, image).read_text()
    assert [image["width"], image["height"]] == [str(WIDTH), str(HEIGHT)]
    assert image.parent["class"] == ["drawn", "drawing"]
    assert images(book, "index") == [image]


def test_a_drawing_for_which_a_reader_would_wait_longer_is_shown_as_pixels(book):
    noise = "".join(map(str, np.random.default_rng(0).integers(0, 10, 400_000)))
    image = show_drawing(book, f'<path d="M 0 {noise}"/>')
    assert file(book, image).suffix == ".webp"
    assert image.parent["class"] == ["drawn"]


def test_room_is_kept_and_the_first_comes_early_and_what_is_far_below_waits(book):
    first, second = images(book, "one")
    assert [first["width"], first["height"]] == [str(WIDTH), str(HEIGHT)]
    assert "loading" not in first.attrs
    assert [first["fetchpriority"], second.get("fetchpriority")] == ["high", None]
    assert [second["loading"], second["decoding"]] == ["lazy", "async"]
    (card,) = images(book, "index")
    assert card["src"] == second["src"]
    assert "loading" not in card.attrs


def test_a_build_that_writes_another_page_leaves_each_its_pictures(book):
    before = images(book, "one")
    book.write("index", "# First page\n\nWithout a card.\n")
    for _ in range(2):
        assert book.build() == ""
        assert images(book, "one") == before
        assert all(file(book, image).exists() for image in before)


def test_no_picture_is_left_in_the_site_that_no_page_shows(book):
    book.write_chapter("one", "Other prose.")
    book.compute("one", {}, shown=[{"image/png": png(drawn(3))}])
    book.write("index", "# First page\n")
    assert book.build() == ""
    (image,) = images(book, "one")
    assert list((book.folder / "_build" / "html" / "_images").iterdir()) == [file(book, image)]
