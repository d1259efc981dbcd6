"""Figures as drawings: in light and dark they show what was drawn, and everything on them can be made out."""

import base64
import io
import re
import tracemalloc
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest
from bookbuild.render import drawings
from bookbuild.render.drawings import GROUND, LIGHT_GROUND, adapt, in_the_dark, in_the_light
from bookbuild.run.isolation import FIGURES
from coloraide import Color
from matplotlib.figure import Figure
from PIL import Image

from dlbook.data import bundled
from dlbook.visualize import BLUE, GRAY, GREEN, INK, ORANGE, PURPLE
from dlbook.visualize.schematics.canvas import pale

pytestmark = pytest.mark.quick

PIXELS = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
STRONG = [color.lower() for color in (BLUE, ORANGE, GREEN, PURPLE, GRAY)]
NUMBER = re.compile(r"-?\d+\.?\d*")


def contrast(color: str, ground: str) -> float:
    """Return the ratio that WCAG asks for: 4.5 for letters, 3 for lines."""
    return Color(color).contrast(ground, method="wcag21")


@pytest.fixture(scope="module")
def drawing() -> str:
    """What matplotlib writes of lines, pixels and letters on them."""
    with matplotlib.rc_context(fname=FIGURES):
        matplotlib.rcParams["font.family"] = "DejaVu Serif"  # which is always there
        figure = Figure(figsize=(6, 3))
        left, right = figure.subplots(1, 2)
        for number, color in enumerate(STRONG):
            left.plot(np.arange(50) / 7, np.sin(np.arange(50) / 5 + number), color=color)
        left.set(xlabel="in ink", title="a title")
        right.imshow(PIXELS, interpolation="none")
        right.text(3, 3, "on pixels", color="white")
        right.text(3, 9, "on pixels", color="black")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def variables(adapted: str) -> list[dict[str, str]]:
    """Return the colors of a drawing by name, in light and in dark surroundings."""
    light, dark = re.findall(r":root\{([^}]*)\}", adapted)
    return [dict(re.findall(r"--(\w+):(#\w+);", each)) for each in (light, dark)]


def places(text: str) -> list[np.ndarray]:
    paths = [element.get("d", "") for element in ET.fromstring(text).iter() if element.tag.endswith("path")]
    return [np.array([float(number) for number in NUMBER.findall(path)]) for path in paths]


def test_nothing_moves(drawing):
    before, after = places(drawing), places(adapt(drawing))
    assert len(after) == len(before) > 20
    for then, now in zip(before, after, strict=True):
        np.testing.assert_allclose(now, then, atol=0.006)


def pixels(text: str) -> np.ndarray:
    """Return the only picture that a drawing holds: int, (H, W, 3)."""
    (held,) = re.findall(r"data:image/\w+;base64,([^\"]+)", text)
    with Image.open(io.BytesIO(base64.b64decode(held))) as image:
        return np.asarray(image.convert("RGB"), int)


def test_pixels_look_the_same(drawing):
    assert np.abs(pixels(adapt(drawing)) - pixels(drawing)).mean() < 2


def test_a_photograph_looks_the_same_and_is_a_fourth_of_its_bytes():
    photograph = bundled.grayscale("camera")
    file = io.BytesIO()
    Image.fromarray(photograph).save(file, "PNG")
    png = f'<svg>"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"</svg>'
    assert np.abs(pixels(adapt(png)) - pixels(png)).mean() < 2
    assert len(adapt(png)) < len(png) / 4


def test_what_is_too_long_for_a_website_stays_as_it_is_and_is_not_unpacked():
    file = io.BytesIO()
    size = (drawings.LARGEST_WEBP + 1, 64)
    Image.new("1", size).save(file, "PNG")
    png = f'<svg>"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"</svg>'
    tracemalloc.start()
    adapted = adapt(png)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert adapted.count(png[5:-6]) == 1
    assert most < size[0] * size[1]


def test_it_is_lighter_and_names_nobody(drawing):
    assert drawings.weight(adapt(drawing)) < drawings.weight(drawing)
    assert "metadata" not in adapt(drawing)


def test_in_the_light_it_has_the_colors_that_were_drawn(drawing):
    light, _ = variables(adapt(drawing))
    assert light.pop("fillfefefe") == LIGHT_GROUND
    assert all(name.endswith(color.removeprefix("#")) for name, color in light.items())
    assert {f"stroke{color[1:]}" for color in STRONG} < light.keys()


def test_every_color_of_the_dark_is_used_and_no_color_is_left_out(drawing):
    adapted = adapt(drawing)
    light, dark = variables(adapted)
    used = set(re.findall(r"var\(--(\w+)\)", adapted))
    assert used == light.keys() == dark.keys()
    assert set(re.findall(r"(?:fill|stroke): (#\w+)", adapted)) <= drawings.FIXED


def test_letters_on_pixels_keep_their_color(drawing):
    assert "fill: #ffffff" in adapt(drawing)
    assert "ffffff" not in "".join(variables(adapt(drawing))[0])


@pytest.mark.parametrize("color", STRONG)
def test_lines_stand_out_on_both_grounds_and_keep_their_hue(color):
    dark = in_the_dark(color, "stroke")
    assert contrast(in_the_light(color), LIGHT_GROUND) >= 3 or color == PURPLE.lower()
    assert contrast(dark, GROUND) >= 4
    assert Color(dark).delta_e(color, method="ok") < 0.25
    assert abs(Color(dark).convert("oklch")["chroma"] - Color(color).convert("oklch")["chroma"]) < 0.04


def test_letters_can_be_read_on_both_grounds_and_on_pale_boxes():
    ink = in_the_dark(INK, "fill")
    assert contrast(ink, GROUND) > 7
    for color in STRONG:
        box = matplotlib.colors.to_hex(pale(color))
        assert contrast(INK, box) > 7
        assert contrast(ink, in_the_dark(box, "fill")) > 7


def test_strong_colors_are_told_apart_in_the_dark():
    dark = [in_the_dark(color, "stroke") for color in STRONG]
    pairs = [(one, other) for place, one in enumerate(dark) for other in dark[:place]]
    assert min(Color(one).delta_e(other, method="ok") for one, other in pairs) > 0.1


def test_the_end_of_a_color_scale_stays_beside_its_pixels():
    assert in_the_dark("#67001f", "fill") == "#67001f"
    assert contrast(in_the_dark("#440154", "stroke"), GROUND) > 4
