"""Figures: each function takes tensors and returns what it drew; none shows or saves.

In a notebook, end the cell's last line with a semicolon: the figure appears by itself.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor

# Colors that people with color-blindness can tell apart (Okabe & Ito, 2008).
BLUE, ORANGE, GREEN, PURPLE, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
INK = "#222222"  # of what has no color of its own; black and white are for what stands on pixels

# A cell of a table that counts as a number: one may have a unit behind it, but no word.
_NUMBER = re.compile(r"[-+−±≈<>≤≥ ]*[\d.–](?!.*[^\W\d_]{3})")
_STYLE: dict[Any, Any] = {
    "figure.dpi": 144,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "font.size": 10,
}


@contextmanager
def _style(**changes: Any) -> Iterator[None]:
    """Give the figures that are made inside this context the book's style."""
    with plt.rc_context(_STYLE | changes):
        yield
        interactive = plt.isinteractive()
    # A notebook's first figure switches pyplot to interactive, and the end of the context would
    # switch it back: no later figure would show.
    matplotlib.interactive(interactive)


def subplots(
    columns: int = 1, width: float = 7.0, height: float = 3.2, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """Return a figure in the book's style, and its axes, one row after the other.

    Args:
        columns: number of axes in a row.
        width: of the figure, in inches.
        height: likewise.
        rows: of axes.
    """
    with _style():
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    return figure, list(axes.flat)


def axes_or_new(ax: Axes | None, width: float = 7.0, height: float = 3.2) -> Axes:
    """Return ``ax``, or where it is None the axes of a new figure of that size in inches."""
    return ax if ax is not None else subplots(width=width, height=height)[1][0]


def image_grid(
    images: Tensor, titles: Sequence[str] = (), columns: int = 10, size: float = 0.75, signed: bool = False
) -> Figure:
    """Show images side by side.

    Args:
        images: (N, C, H, W), C = 1 or 3. uint8, or floats on any scale: one scale for all of them,
            from the smallest value to the largest.
        titles: one for each image, or none.
        columns: images in a row.
        size: width of an image, in inches.
        signed: blue below zero, white at zero, red above; for one channel.

    Raises:
        ValueError: the shape or the number of titles does not fit.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"expected images (N, 1 or 3, H, W) with N ≥ 1, not {tuple(images.shape)}")
    if titles and len(titles) != len(images):
        raise ValueError(f"{len(images)} images, but {len(titles)} titles")
    pixels, options = displayable(images.detach().cpu().numpy(), signed)
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    height = rows * (size + 0.27 * (1 + titles[0].count("\n") if titles else 0.2))
    with _style(**{"axes.grid": False}):
        figure, axes = plt.subplots(rows, columns, figsize=(columns * size, height), squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for index, ax in zip(range(len(images)), axes.flat, strict=False):
        ax.imshow(pixels[index], **options)
        if titles:
            ax.set_title(titles[index], fontsize=8, pad=4)
    return figure


def displayable(pixels: np.ndarray, signed: bool = False) -> tuple[np.ndarray, dict[str, Any]]:
    """Return images as matplotlib's `imshow` wants them, and the options that put all on one scale.

    Args:
        pixels: (N, C, H, W), C = 1 or 3; uint8, or floats on any scale.
        signed: as for `image_grid`.
    """
    if signed:
        limit = np.abs(pixels).max() or 1.0
        return pixels[:, 0], {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    if pixels.dtype != np.uint8:
        low, high = pixels.min(), pixels.max()
        pixels = (pixels - low) / max(high - low, 1e-12)
    limit = 255 if pixels.dtype == np.uint8 else 1
    if pixels.shape[1] == 1:
        return pixels[:, 0], {"cmap": "gray", "vmin": 0, "vmax": limit}
    return pixels.transpose(0, 2, 3, 1), {}


def intervals(rows: Mapping[str, tuple[float, float, float]], ax: Axes | None = None) -> Axes:
    """Draw accuracies with their 95% intervals, one a row.

    Args:
        rows: name → estimate, lower and upper bound, as shares of 1.
        ax: where to draw; a new figure without it.
    """
    ax = axes_or_new(ax, height=0.6 + 0.42 * len(rows))
    for place, (estimate, low, high) in enumerate(rows.values()):
        ax.plot([low, high], [place, place], color=BLUE, linewidth=3, solid_capstyle="butt")
        ax.plot(estimate, place, "o", color=ORANGE)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    ax.set_xlabel("accuracy, with its 95% interval")
    return ax


class Table:
    """A table that a notebook shows as one, and a terminal as Markdown.

    Numbers stand at the right of their column, words at the left.

    Args:
        columns: header → cells, all of one length; floats of an array or tensor are shown with four decimals.

    Raises:
        ValueError: the columns differ in length.
    """

    def __init__(self, columns: Mapping[str, Sequence[str] | np.ndarray | Tensor]) -> None:
        if len({len(cells) for cells in columns.values()}) != 1:
            raise ValueError(f"columns differ in length: { {name: len(c) for name, c in columns.items()} }")
        self.columns = {name: [_cell_text(cell) for cell in cells] for name, cells in columns.items()}

    def _repr_markdown_(self) -> str:
        marks = ["--:" if all(map(_NUMBER.match, cells)) else ":--" for cells in self.columns.values()]
        rows = [list(self.columns), marks]
        rows += [list(row) for row in zip(*self.columns.values(), strict=True)]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    __repr__ = _repr_markdown_


def _cell_text(cell: str | np.number | Tensor) -> str:
    if isinstance(cell, str):
        return cell
    value = cell.item()
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
