"""Figures as drawings: sharp at any size, and in the dark in colors of the dark.

A page's cells draw with matplotlib, which writes a drawing's colors as numbers. Here each becomes a variable
with one value for light and one for dark surroundings. A browser chooses by the `color-scheme` of the page
around it, as CSS Color Adjustment says; one that does not know that shows the light drawing, with its ground.
"""

import base64
import gzip
import hashlib
import io
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from coloraide import Color
from PIL import Image

DRAWN_GROUND, DRAWN_INK = "#fefefe", "#222222"  # of figures, as `run/matplotlibrc` sets them
LIGHT_GROUND = "#ffffff"  # of the theme's pages
GROUND, INK = "#121212", "#ced6dd"  # of the same in the dark
# Of pixels, and of what stands on them. Everything else may turn round.
FIXED = {"#000000", "#ffffff"}
CHROMA = 0.08  # in OKLCh: from here on a color is told by its hue
DEEP = 0.45  # in OKLCh: a strong fill that is darker is the end of a scale, whose pixels stay as they are
DIGITS = 2  # behind the point of a place; a point is two pixels on the page
# Of photographs: AVIF changes them as little as WebP at quality 90, in two thirds of its bytes.
PHOTOGRAPH = {"quality": 70, "subsampling": "4:4:4", "speed": 6}
# Of 255, on average: what would be changed by more stays exact; photographs are changed by 1 to 3.
SEEN = 4
LARGEST_WEBP = 16_383  # pixels of a side, by its specification
# Part of the file's name: when this code changes, drawings are made anew.
MARK = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]

HEAD = re.compile(r"\A.*?(?=<svg)|<metadata>.*?</metadata>\s*", re.DOTALL)
COLOR = re.compile(r"\b(fill|stroke): (#[0-9a-f]{6})\b")
STYLE = re.compile(r'style="[^"]*"')
PLACES = re.compile(r'\b(?:d|x|y)="[^"]*"|translate\([^)]*\)')
LONG = re.compile(rf"(?<!\d)-?\d+\.\d{{{DIGITS + 1},}}")  # looked for where a number begins, and nowhere else
PIXELS = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")


def adapt(drawing: str) -> str:
    """Return matplotlib's SVG for pages that may be light or dark, and without what no reader sees."""
    drawing = PIXELS.sub(_smaller_pixels, HEAD.sub("", drawing))
    drawing = PLACES.sub(lambda place: LONG.sub(_rounded, place.group()), drawing)
    used: set[tuple[str, str]] = set()
    drawing = STYLE.sub(lambda style: _variables(style.group(), used), drawing)
    light = "".join(f"--{part}{color[1:]}:{in_the_light(color)};" for part, color in sorted(used))
    dark = "".join(f"--{part}{color[1:]}:{in_the_dark(color, part)};" for part, color in sorted(used))
    style = f"<style>:root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    return re.sub(r"<svg[^>]*>", lambda root: root.group() + style, drawing, count=1)


def weight(text: str) -> int:
    """Return the bytes that a reader fetches."""
    return len(gzip.compress(text.encode(), mtime=0))


def in_the_light(color: str) -> str:
    """Return a color for light surroundings: the figures' ground becomes the page's."""
    return LIGHT_GROUND if color == DRAWN_GROUND else color


@cache
def in_the_dark(color: str, part: str) -> str:
    """Return a color for dark surroundings: light and dark change places, the hue stays.

    Strong colors become lighter at most, so that all of them stand out.

    Args:
        color: as ``#rrggbb``.
        part: ``fill`` or ``stroke``, which it gives its color to.
    """
    if color == DRAWN_GROUND:
        return GROUND
    before, ground, ink = (Color(each).convert("oklch") for each in (color, GROUND, INK))
    strong = before["chroma"] > CHROMA
    if strong and part == "fill" and before["lightness"] < DEEP:
        return color
    # The ink of the figures, a dark gray, becomes that of the page.
    steps = (1 - before["lightness"]) / (1 - Color(DRAWN_INK).convert("oklch")["lightness"])
    turned = ground["lightness"] + steps * (ink["lightness"] - ground["lightness"])
    lightness = max(turned, before["lightness"]) if strong else min(turned, ink["lightness"])
    return before.clone().set("lightness", lightness).convert("srgb").fit().to_string(hex=True)


def _variables(style: str, used: set[tuple[str, str]]) -> str:
    def variable(found: re.Match[str]) -> str:
        part, color = found.groups()
        if color in FIXED:
            return found.group()
        used.add((part, color))
        return f"{part}: var(--{part}{color[1:]})"

    return COLOR.sub(variable, style)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number.group()):.{DIGITS}f}".rstrip("0").rstrip(".")


def _smaller_pixels(found: re.Match[str]) -> str:
    png = base64.b64decode(found.group(1))
    with Image.open(io.BytesIO(png)) as image:
        if max(image.size) > LARGEST_WEBP:
            return found.group()
    exact, alike = _form(png, "WebP", lossless=True), _form(png, "AVIF", **PHOTOGRAPH)
    forms = {len(png): ("png", png), len(exact): ("webp", exact)}
    if np.abs(_pixels(alike) - _pixels(png)).mean() < SEEN:
        forms[len(alike)] = "avif", alike
    kind, smallest = forms[min(forms)]
    return f"data:image/{kind};base64,{base64.b64encode(smallest).decode()}"


def _form(png: bytes, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.save(file, kind, **options)
    return file.getvalue()


def _pixels(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGBA"), float)
