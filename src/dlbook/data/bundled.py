"""Photographs that installed packages carry: nothing is fetched.

They serve where an image is looked at or filtered, and no label is needed.
"""

import hashlib
from collections.abc import Mapping

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray
from sklearn.datasets import load_sample_image

from dlbook.data.source import DataError, Source, note

# Name → package, the package's own name for it, terms, and whom to thank.
_CREDITS = {
    "camera": ("scikit-image", "camera", "CC0", "Lav Varshney"),
    "coins": ("scikit-image", "coins", "no known restrictions", "Brooklyn Museum"),
    "cat": ("scikit-image", "chelsea", "CC0", "Stefan van der Walt"),
    "coffee": ("scikit-image", "coffee", "CC0", "Rachel Michetti"),
    "astronaut": ("scikit-image", "astronaut", "public domain", "NASA"),
    "china": ("scikit-learn", "china.jpg", "CC BY 2.0", "danielbuechele"),
}
NAMES = tuple(_CREDITS)


def color(name: str) -> NDArray[np.uint8]:
    """Return a photograph in color.

    Args:
        name: one of `NAMES`, but for those that their packages carry in gray.

    Returns:
        (H, W, 3) uint8, red, green and blue from 0 to 255.

    Raises:
        DataError: the name is unknown, or the photograph is gray.
    """
    image = _pixels(name)
    if image.ndim == 2:
        raise DataError(f"the photograph {name!r} is gray: take `grayscale`, or another one")
    return image


def grayscale(name: str) -> NDArray[np.uint8]:
    """Return a photograph as gray levels.

    Args:
        name: one of `NAMES`.

    Returns:
        (H, W) uint8, 0 to 255; color is weighted as ITU-R BT.601 has it (OpenCV's ``COLOR_RGB2GRAY``).

    Raises:
        DataError: the name is unknown.
    """
    image = _pixels(name)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8)


def _pixels(name: str) -> NDArray[np.uint8]:
    """Return a photograph as its package has it: (H, W) or (H, W, 3)."""
    if name not in _CREDITS:
        raise DataError(f"unknown photograph {name!r}: there are {', '.join(NAMES)}")
    package, file, _, _ = _CREDITS[name]
    return getattr(skimage.data, file)() if package == "scikit-image" else load_sample_image(file)


def source(photographs: Mapping[str, NDArray[np.uint8]]) -> Source:
    """Return the provenance of results that were measured on these photographs, and note it.

    Args:
        photographs: name → pixels, as `color` or `grayscale` gave them, or a part of them.
    """
    digest = hashlib.sha256()
    for name in sorted(photographs):
        digest.update(np.ascontiguousarray(photographs[name]).data)
    credits = "; ".join(f"{name}: {_CREDITS[name][3]}, {_CREDITS[name][2]}" for name in sorted(photographs))
    packages = " and ".join(sorted({_CREDITS[name][0] for name in photographs}))
    found = Source(
        name="bundled photographs",
        description=f"Photographs that ship inside {packages}. Beside them: edges computed from a formula.",
        is_standin=False,
        sha256=digest.hexdigest(),
        license=credits,
    )
    note(found)
    return found
