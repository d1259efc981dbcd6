"""Figures about kernels: pixels as numbers, and signed responses on one scale."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from dlbook.visualize import subplots

# Blue below zero, white at zero, red above.
SIGNED = "RdBu_r"


def pixel_numbers(
    values: ArrayLike, ax: Axes, spec: str = ".0f", limit: float | None = None, fontsize: float = 8
) -> Axes:
    """Draw each entry of a small array as a square with its number.

    Args:
        values: (H, W). Gray levels 0 to 255, unless ``limit`` is given.
        ax: where to draw.
        spec: how to write a number, as for `format`.
        limit: draws signed values instead, from ``-limit`` in blue over white to ``limit`` in red.
        fontsize: of the numbers, in points.
    """
    array = np.asarray(values, dtype=np.float64)
    low, high, colors = (0.0, 255.0, "gray") if limit is None else (-limit, limit, SIGNED)
    ax.imshow(array, cmap=colors, vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(array):
        share = (value - low) / (high - low)
        dark = share < 0.5 if limit is None else abs(share - 0.5) > 0.35
        shade = "white" if dark else "black"
        # "-0" would say that a sign was lost.
        text = format(value, spec) if float(format(value, spec)) else format(0.0, spec)
        ax.text(column, row, text.replace("-", "−"), ha="center", va="center", color=shade, fontsize=fontsize)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def kernel_grid(
    kernels: Mapping[str, ArrayLike], columns: int = 5, spec: str = "g", size: float = 1.35
) -> Figure:
    """Draw kernels with their numbers, each on its own signed color scale.

    Args:
        kernels: title → (h, w).
        columns: kernels in a row.
        spec: how to write a number, as for `format`.
        size: width of a kernel, in inches.
    """
    figure, axes = _grid(len(kernels), columns, size, size * 1.17)
    for ax, (title, kernel) in zip(axes, kernels.items(), strict=True):
        limit = float(np.abs(np.asarray(kernel)).max()) or 1.0
        pixel_numbers(kernel, ax, spec, limit)
        ax.set_title(title, fontsize=9)
    return figure


def response_maps(
    responses: Mapping[str, ArrayLike], columns: int = 2, limit: float | None = None, label: str = "response"
) -> Figure:
    """Draw signed responses on one diverging scale, zero in white, with a color bar.

    Args:
        responses: title → (H, W), all of one shape.
        columns: maps in a row.
        limit: the value that gets the full color, and everything beyond it; else the largest of all.
        label: what the color bar says.
    """
    arrays = {title: np.asarray(response) for title, response in responses.items()}
    if limit is None:
        limit = max(float(np.abs(array).max()) for array in arrays.values()) or 1.0
    height, width = next(iter(arrays.values())).shape
    map_width = (7 - 0.85) / columns  # the rest is for the color bar
    figure, axes = _grid(len(arrays), columns, 7 / columns, map_width * height / width + 0.25)
    shown: Any = None
    for ax, (title, array) in zip(axes, arrays.items(), strict=True):
        shown = ax.imshow(array, cmap=SIGNED, vmin=-limit, vmax=limit)
        ax.set_title(title, fontsize=9)
        ax.axis("off")
    figure.colorbar(shown, ax=figure.axes, label=label, fraction=0.04, pad=0.015, aspect=30, extend="both")
    return figure


def gray_images(images: Mapping[str, ArrayLike], columns: int = 2, limit: float = 255) -> Figure:
    """Draw images side by side, from black at 0 to white at ``limit``; what lies beyond is clipped.

    Args:
        images: title → (H, W), all of one shape.
        columns: images in a row.
        limit: what is shown as white.
    """
    arrays = {title: np.asarray(image) for title, image in images.items()}
    height, width = next(iter(arrays.values())).shape
    size = 7.0 / columns
    figure, axes = _grid(len(arrays), columns, size, size * height / width + 0.25)
    for ax, (title, array) in zip(axes, arrays.items(), strict=True):
        ax.imshow(array, cmap="gray", vmin=0, vmax=limit)
        ax.set_title(title, fontsize=9)
        ax.axis("off")
    return figure


def _grid(count: int, columns: int, width: float, height: float) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure of at least ``count`` axes in the book's style, and that many of them."""
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    figure, axes = subplots(columns, columns * width, rows * height, rows)
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]
