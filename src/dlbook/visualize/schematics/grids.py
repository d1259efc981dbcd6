"""Drawings of single steps on grids of numbers: a filter's, pooling's, batch normalization's."""

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from dlbook.visualize import BLUE, GRAY, GREEN, ORANGE, PURPLE
from dlbook.visualize.schematics.canvas import EDGE, NORMAL, SMALL, SMALLEST, Canvas, array_of, text_width


def sliding_filter(
    image: ArrayLike | Tensor,
    kernel: ArrayLike | Tensor,
    at: tuple[int, int] = (0, 0),
    padding: int = 0,
    stride: int = 1,
    shown: Literal["one", "so far", "all"] = "so far",
    width: float = 7.0,
) -> Figure:
    """Draw one step of a convolution: the window, the kernel, the sum, and where its value goes.

    As in every deep learning library, the kernel is not flipped.

    Args:
        image: (H, W), small: up to about 8 × 8.
        kernel: (h, w).
        at: row and column of the output that is being computed.
        padding: rows and columns of zeros around the image.
        stride: steps from one window to the next.
        shown: which values of the output are filled in: this one, all up to this one, or all.
        width: of the figure, in inches.

    Raises:
        ValueError: the kernel is larger than the padded image, there is no such output, or the numbers
            have no room.
    """
    pixels, weights = _matrix("image", image), _matrix("kernel", kernel)
    if padding < 0:
        raise ValueError(f"padding must be 0 or more, not {padding}")
    padded = np.pad(pixels, padding)
    if any(k > n for k, n in zip(weights.shape, padded.shape, strict=True)):
        raise ValueError(f"the kernel {weights.shape} is larger than the padded image {padded.shape}")
    if stride < 1:
        raise ValueError(f"stride must be 1 or more, not {stride}")
    result = F.conv2d(_batch(padded), _batch(weights), stride=stride)[0, 0].numpy()
    row, column = at
    if not (0 <= row < result.shape[0] and 0 <= column < result.shape[1]):
        raise ValueError(f"the output is {result.shape[0]} × {result.shape[1]}: it has no place {at}")
    place, count = row * result.shape[1] + column, result.size
    try:
        seen = {"one": range(place, place + 1), "so far": range(place + 1), "all": range(count)}[shown]
    except KeyError:
        raise ValueError(f'shown must be "one", "so far" or "all", not {shown!r}') from None
    written = np.array([_number(v) if i in seen else "" for i, v in enumerate(result.flat)])
    output = written.reshape(result.shape).tolist()
    (top, left), (h, w) = (row * stride, column * stride), weights.shape
    window = {(r, c): ORANGE for r in range(top, top + h) for c in range(left, left + w)}
    outside = np.argwhere(np.pad(np.zeros(pixels.shape), padding, constant_values=1))
    edge = {(int(r), int(c)): GRAY for r, c in outside}
    name = f"image, padding {padding}" if padding else "image"
    grids = {name: _texts(padded), "kernel": _texts(weights), "output": output}
    fills = [edge | window, dict.fromkeys(np.ndindex(weights.shape), BLUE), {at: ORANGE}]
    gap = 0.45
    canvas, cell, corners, middle = _in_a_row(grids, fills, edge, width, gap, 0.48, 0.5)
    (x, y), (x_kernel, _), (x_output, y_output) = corners
    canvas.frame(x + left * cell, y - top * cell, w * cell, h * cell)
    canvas.frame(x_output + column * cell, y_output - row * cell, cell, cell)
    canvas.label(x_kernel - gap / 2, middle, "∗", 16)
    canvas.label(x_output - gap / 2, middle, "=", 16)
    part = padded[top : top + h, left : left + w]
    text, points = _sum(part, weights, result[row, column], width - 2 * EDGE)
    canvas.label(width / 2, 0.25, text, points)
    return canvas.figure


def _in_a_row(
    grids: dict[str, list[list[str]]],
    fills: Sequence[dict[tuple[int, int], str]],
    faint: Collection[tuple[int, int]],
    width: float,
    gap: float,
    largest: float,
    bottom: float,
) -> tuple[Canvas, float, list[tuple[float, float]], float]:
    """Draw grids beside each other; return the canvas, the side of a cell, upper left corners and the middle.

    Args:
        grids: title → texts.
        fills: for each grid, (row, column) → color.
        faint: cells of the first grid that are paler.
        width: of the figure, in inches.
        gap: between two grids.
        largest: side of a cell.
        bottom: what stays free below.
    """
    columns = sum(len(texts[0]) for texts in grids.values())
    free = width - 2 * EDGE - gap * (len(grids) - 1)
    cell = min(largest, free / columns)
    size = _fitting(list(grids.values()), cell)
    tall = max(map(len, grids.values())) * cell
    canvas = Canvas(width, bottom + tall + 0.36)
    middle, x = bottom + tall / 2, EDGE + (free - columns * cell) / 2
    corners: list[tuple[float, float]] = []
    for (title, texts), fill in zip(grids.items(), fills, strict=True):
        across, top = len(texts[0]) * cell, middle + len(texts) * cell / 2
        canvas.grid(texts, x, top, cell, fill, () if corners else faint, size)
        half = EDGE + text_width(title) / 2
        canvas.label(min(max(x + across / 2, half), width - half), top + 0.06, title, va="bottom")
        corners.append((x, top))
        x += across + gap
    return canvas, cell, corners, middle


def _sum(part: np.ndarray, weights: np.ndarray, result: float, room: float) -> tuple[str, float]:
    """Write the products out, and say in which size: all of them, or those by zero left out, or none."""
    pairs = list(zip(part.flat, weights.flat, strict=True))
    exact = all(
        np.isclose(float(_number(v).replace("−", "-")), v) for v in (*part.flat, *weights.flat, result)
    )
    for chosen in (pairs, [(pixel, weight) for pixel, weight in pairs if weight]):
        terms = [f"{_factor(pixel)}·{_factor(weight)}" for pixel, weight in chosen]
        text = f"{' + '.join(terms) or '0'} {'=' if exact else '≈'} {_number(result)}"
        for points in (NORMAL, SMALL, SMALLEST + 1):
            if text_width(text, points) <= room:
                return text, points
    return f"the sum of the {part.size} products is {_number(result)}", NORMAL


def _factor(value: float) -> str:
    return f"({_number(value)})" if value < 0 else _number(value)


def pooling_window(
    values: ArrayLike | Tensor, kernel: int = 2, stride: int | None = None, width: float = 7.0
) -> Figure:
    """Draw what pooling makes of a grid of numbers: by the maximum, and by the average.

    Args:
        values: (H, W), such as 4 × 4.
        kernel: side of the window.
        stride: from one window to the next; without it, the window's side.
        width: of the figure, in inches.

    Raises:
        ValueError: the window is larger than the grid, or the numbers have no room.
    """
    numbers = _matrix("values", values)
    step = kernel if stride is None else stride
    if kernel < 1 or step < 1 or kernel > min(numbers.shape):
        raise ValueError(f"a window of {kernel} with stride {step} does not fit a grid of {numbers.shape}")
    largest = F.max_pool2d(_batch(numbers), kernel, step)[0, 0].numpy()
    average = F.avg_pool2d(_batch(numbers), kernel, step)[0, 0].numpy()
    places = list(np.ndindex(largest.shape)) if step >= kernel else [(0, 0)]
    ends = {(r, c): (BLUE, ORANGE, GREEN, PURPLE)[(2 * r + c) % 4] for r, c in places}
    starts = {
        (r * step + i, c * step + j): color
        for (r, c), color in ends.items()
        for i, j in np.ndindex(kernel, kernel)
    }
    grids = {"input": _texts(numbers), "maximum": _texts(largest), "average": _texts(average)}
    gap = 0.75
    canvas, _, corners, middle = _in_a_row(grids, [starts, ends, ends], (), width, gap, 0.6, EDGE)
    canvas.arrow((corners[1][0] - gap + 0.12, middle), (corners[1][0] - 0.12, middle))
    canvas.label(corners[2][0] - gap / 2, middle, "or")
    return canvas.figure


def normalization_axes(
    images: int = 4, channels: int = 3, size: tuple[int, int] = (4, 4), channel: int = 2, width: float = 7.0
) -> Figure:
    """Draw what batch normalization averages together: one channel, over all images and pixels.

    Args:
        images: in the batch.
        channels: of each image.
        size: height and width of a feature map.
        channel: the one that is marked, counted from 0.
        width: of the figure, in inches.

    Raises:
        ValueError: a size is below 1, there is no such channel, or the channels have no room.
    """
    height, across = size
    if min(images, channels, height, across) < 1 or not 0 <= channel < channels:
        raise ValueError(f"no channel {channel} in {images} images of {channels} channels of {size}")
    text = (
        f"channel {channel + 1} of the batch:\n{images} images of {height} × {across} pixels\n"
        f"= {images * height * across:,} numbers with\none mean and one\nstandard deviation"
    )
    left = EDGE + text_width(f"image {images}") + 0.12
    step = min(0.82, (width - left - 0.45 - text_width(text) - EDGE) / channels)
    if step < 0.5:
        raise ValueError(f"{channels} channels have no room: draw fewer, or make the figure wider")
    titles = 0.3 + (0 if step > text_width(f"channel {channels}", SMALL) else 0.2)
    top = EDGE + images * step
    canvas = Canvas(width, top + titles + 0.05)
    cell = step * 0.84 / max(size)
    blank = [[""] * across] * height
    for c in range(channels):
        marked = c == channel
        middle = left + (c + 0.5) * step
        name = f"channel {c + 1}" if titles == 0.3 else f"channel\n{c + 1}"
        canvas.label(middle, top + 0.05, name, SMALL, ORANGE if marked else GRAY, va="bottom")
        for n in range(images):
            y = top - (n + 0.5) * step
            fill = dict.fromkeys(np.ndindex(size), ORANGE) if marked else {}
            canvas.grid(blank, middle - across * cell / 2, y + height * cell / 2, cell, fill)
    for n in range(images):
        canvas.label(EDGE, top - (n + 0.5) * step, f"image {n + 1}", ha="left")
    canvas.frame(left + channel * step, top, step, images * step)
    x, y = left + channels * step, (top + EDGE) / 2
    canvas.arrow((x + 0.06, y), (x + 0.35, y), ORANGE)
    canvas.label(x + 0.42, y, text, ha="left")
    return canvas.figure


def _matrix(name: str, values: ArrayLike | Tensor) -> np.ndarray:
    array = array_of(values).astype(np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"expected {name} (H, W), not {array.shape}")
    return array


def _batch(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)[None, None]


def _number(value: float) -> str:
    text = f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def _texts(array: np.ndarray) -> list[list[str]]:
    return [[_number(value) for value in row] for row in array]


def _fitting(grids: Sequence[list[list[str]]], cell: float) -> float:
    """Return the largest size in points, up to 12, in which every text fits its cell."""
    widest = max(text_width(text, 12) for grid in grids for row in grid for text in row)
    size = 12 * min(1, (cell - 0.06) / max(widest, 1e-9), cell / 0.24)
    if size < SMALLEST:
        raise ValueError("the numbers have no room: take a smaller grid, or numbers with fewer digits")
    return size
