"""Figures: each function takes tensors and returns what it drew; none shows or saves.

In a notebook, end the cell's last line with a semicolon: the figure appears by itself.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from dlbook.metrics import calibration_curve
from dlbook.training import History

# Colors that people with color-blindness can tell apart (Okabe & Ito, 2008).
BLUE, ORANGE, GREEN, PURPLE, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"

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


def subplots(columns: int = 1, width: float = 7.0, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    """Return a figure in the book's style, and its axes in one row.

    Args:
        columns: number of axes.
        width: of the figure, in inches.
        height: likewise.
    """
    with _style():
        figure, axes = plt.subplots(1, columns, figsize=(width, height), squeeze=False)
    return figure, list(axes[0])


def _axes(ax: Axes | None, width: float = 7.0, height: float = 3.2) -> Axes:
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
    pixels, options = _displayable(images, signed)
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
            ax.set_title(titles[index], fontsize=8, pad=2)
    return figure


def _displayable(images: Tensor, signed: bool) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the pixels as matplotlib wants them, and the options that put all on one scale."""
    pixels = images.detach().cpu().numpy()
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


def class_balance(splits: Mapping[str, Tensor], classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw each class's share in one or more splits, as grouped bars.

    Args:
        splits: name → labels (N,) int64.
        classes: the name of each label.
        ax: where to draw; a new figure without it.
    """
    ax = _axes(ax)
    width = 0.8 / len(splits)
    for number, ((name, labels), color) in enumerate(
        zip(splits.items(), (BLUE, ORANGE, GREEN, PURPLE), strict=False)
    ):
        shares = np.bincount(labels.cpu(), minlength=len(classes)) / len(labels)
        places = np.arange(len(classes)) + (number - (len(splits) - 1) / 2) * width
        ax.bar(places, shares, width, color=color, label=name)
    ax.axhline(1 / len(classes), color=GRAY, linewidth=1, linestyle="--", label="balanced")
    ax.set_xticks(range(len(classes)), classes)
    ax.grid(axis="x", visible=False)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="class", ylabel="share of the split")
    ax.legend(ncols=len(splits) + 1, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return ax


def learning_curves(histories: Sequence[History]) -> Figure:
    """Draw loss and validation accuracy by epoch: a thin line a seed, a thick one for the mean.

    Args:
        histories: of runs with the same number of epochs.
    """
    figure, (left, right) = subplots(2)
    epochs = range(1, len(histories[0].train_loss) + 1)
    for attribute, label, color, ax in (
        ("train_loss", "training", BLUE, left),
        ("validation_loss", "validation", ORANGE, left),
        ("validation_accuracy", "validation", ORANGE, right),
    ):
        curves = np.array([getattr(history, attribute) for history in histories])
        ax.plot(epochs, curves.T, color=color, linewidth=0.7, alpha=0.4)
        ax.plot(epochs, curves.mean(axis=0), color=color, linewidth=2, label=label)
    left.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    right.set(xlabel="epoch", ylabel="accuracy")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    for ax in (left, right):
        ax.legend(frameon=False)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def confusion(matrix: Tensor, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: the color shows the mistakes only, the numbers show all counts.

    Args:
        matrix: (K, K) counts, row = true class, column = predicted class.
        classes: the name of each class.
        ax: where to draw; a new figure without it.
    """
    ax = _axes(ax, width=5.6, height=5.2)
    mistakes = matrix.clone().fill_diagonal_(0).numpy()
    ax.imshow(mistakes, cmap="Oranges", vmax=max(1, mistakes.max()))
    threshold = mistakes.max() * 0.6
    for row, column in torch.cartesian_prod(torch.arange(len(classes)), torch.arange(len(classes))).tolist():
        shade = "white" if mistakes[row, column] > threshold else "black"
        color = shade if matrix[row, column] else GRAY
        ax.text(column, row, f"{matrix[row, column]}", ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), classes)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted", ylabel="true")
    return ax


def reliability(models: Mapping[str, Tensor], labels: Tensor, ax: Axes | None = None) -> Axes:
    """Draw accuracy against confidence; a calibrated model lies on the diagonal.

    Args:
        models: name → logits (N, K).
        labels: (N,) int64.
        ax: where to draw; a new figure without it.
    """
    ax = _axes(ax, width=4.6, height=4.2)
    ax.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--", label="calibrated")
    for (name, logits), color in zip(models.items(), (ORANGE, BLUE, GREEN), strict=False):
        curve = calibration_curve(logits, labels)
        ax.plot(curve["confidence"], curve["accuracy"], color=color, alpha=0.8)
        ax.scatter(
            curve["confidence"],
            curve["accuracy"],
            s=15 + 120 * curve["share"].sqrt(),
            color=color,
            label=name,
            alpha=0.8,
        )
    ax.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.05), aspect="equal")
    ax.legend(loc="upper left", frameon=False)
    return ax


def intervals(rows: Mapping[str, tuple[float, float, float]], ax: Axes | None = None) -> Axes:
    """Draw accuracies with their 95% intervals, one a row.

    Args:
        rows: name → estimate, lower and upper bound, as shares of 1.
        ax: where to draw; a new figure without it.
    """
    ax = _axes(ax, height=0.6 + 0.42 * len(rows))
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

    Args:
        columns: header → cells, all of one length; a tensor of floats is shown with four decimals.

    Raises:
        ValueError: the columns differ in length.
    """

    def __init__(self, columns: Mapping[str, Sequence[str] | Tensor]) -> None:
        if len({len(cells) for cells in columns.values()}) != 1:
            raise ValueError(f"columns differ in length: { {name: len(c) for name, c in columns.items()} }")
        self.columns = {name: [_cell_text(cell) for cell in cells] for name, cells in columns.items()}

    def _repr_markdown_(self) -> str:
        rows = [list(self.columns), ["--:"] * len(self.columns)]
        rows += [list(row) for row in zip(*self.columns.values(), strict=True)]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    __repr__ = _repr_markdown_


def _cell_text(cell: str | Tensor) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell.item():.4f}" if cell.is_floating_point() else f"{cell.item():,}"
