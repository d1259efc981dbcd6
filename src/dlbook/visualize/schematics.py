"""Schematic drawings, all in one style: each function takes sizes, labels or numbers and returns the figure."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from dlbook.visualize import BLUE, GRAY, GREEN, ORANGE, PURPLE
from dlbook.visualize.canvas import (
    NORMAL,
    SMALL,
    SMALLEST,
    Canvas,
    stack_size,
    text_height,
    text_width,
)

_EDGE = 0.12  # inches that stay free at the sheet's edge
_ARROW = 0.22  # the shortest arrow


def network(
    sizes: Sequence[int],
    labels: Sequence[str] = (),
    image: ArrayLike | None = None,
    outputs: Sequence[str] = (),
    between: Sequence[str] = (),
    highlight: tuple[int, int] | None = None,
    dropped: Mapping[int, Collection[int]] | None = None,
    width: float = 7.0,
    height: float = 3.6,
) -> Figure:
    """Draw a multi-layer perceptron: a column of units for each layer, and every connection.

    A layer of more than ten units shows seven of them, with an ellipsis; its number stands below.

    Args:
        sizes: units of each layer, the input's first.
        labels: one for each layer, written below its size, such as ``"input"``.
        image: (H, W) or (1 or 3, H, W), drawn to the left of the input.
        outputs: one for each unit of the last layer, to its right; for at most ten units.
        between: one for each pair of layers, written above the connections, such as ``"ReLU"``.
        highlight: (layer, unit shown): its incoming connections are orange.
        dropped: layer → units shown that are off, as dropout does: dashed, without connections.
        width: of the figure, in inches.
        height: likewise.

    Raises:
        ValueError: there are fewer than two layers, a size is below 1, or a list has the wrong length.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"expected two or more layers of at least one unit, not {list(sizes)}")
    _check_length("labels", labels, len(sizes), "layers")
    _check_length("between", between, len(sizes) - 1, "pairs of layers")
    _check_length("outputs", outputs, sizes[-1], "outputs")
    if outputs and sizes[-1] > 10:
        raise ValueError(f"names stand beside at most 10 outputs, not {sizes[-1]}")
    canvas = Canvas(width, height)
    below = text_height(f"{sizes[0]}") + max((text_height(label, SMALL) for label in labels), default=0) + 0.1
    low, high = _EDGE + below, height - _EDGE - max((text_height(t, SMALL) for t in between), default=0)
    names = [f"{size:,}" for size in sizes]
    half = [max(text_width(n), text_width(t, SMALL), 0.3) / 2
            for n, t in zip(names, list(labels) or names, strict=True)]  # fmt: skip
    side = min(1.3, high - low) if image is not None else 0.0
    first = _EDGE + max(half[0], (side + 0.3 + 0.1) if side else 0)
    last = width - _EDGE - max(half[-1], 0.25 + max((text_width(t) for t in outputs), default=0))
    xs = np.linspace(first, last, len(sizes))
    columns = [_places(size, low, high) for size in sizes]
    off = dropped or {}
    for layer in range(1, len(sizes)):
        for end, y_end in enumerate(columns[layer]):
            for start, y_start in enumerate(columns[layer - 1]):
                if start in off.get(layer - 1, ()) or end in off.get(layer, ()):
                    continue
                chosen = highlight == (layer, end)
                canvas.line((xs[layer - 1], y_start), (xs[layer], y_end),
                            ORANGE if chosen else "#b5b5b5", 1.3 if chosen else 0.5)  # fmt: skip
        if between:
            canvas.label((xs[layer - 1] + xs[layer]) / 2, height - _EDGE, between[layer - 1], SMALL, va="top")
    for layer, (x, size) in enumerate(zip(xs, sizes, strict=True)):
        color = GRAY if layer == 0 else GREEN if layer == len(sizes) - 1 else BLUE
        for unit, y in enumerate(columns[layer]):
            lit = highlight == (layer, unit)
            canvas.unit(x, y, _radius(low, high), ORANGE if lit else color, unit in off.get(layer, ()))
            if outputs and layer == len(sizes) - 1:
                canvas.label(x + 0.25, y, outputs[unit], NORMAL, ha="left")
        if len(columns[layer]) < size:
            canvas.label(x, (low + high) / 2, "⋮", 16)
        canvas.label(x, low - 0.06, names[layer], NORMAL, va="top", weight="bold")
        if labels:
            canvas.label(x, low - 0.06 - text_height("0"), labels[layer], SMALL, va="top")
    if image is not None:
        canvas.image(image, _EDGE + side / 2, (low + high) / 2, side)
        canvas.arrow((_EDGE + side + 0.05, (low + high) / 2), (_EDGE + side + 0.27, (low + high) / 2))
    return canvas.figure


def _radius(low: float, high: float) -> float:
    return min(0.12, (high - low) / 26)


def _places(size: int, low: float, high: float) -> list[float]:
    """Return the heights of the units that are shown, from top to bottom."""
    step = (high - low) / 10
    if size > 10:
        return [(low + high) / 2 + step * place for place in (4.5, 3.5, 2.5, 1.5, -1.5, -2.5, -3.5, -4.5)]
    return [(low + high) / 2 + step * ((size - 1) / 2 - place) for place in range(size)]


def sliding_filter(
    image: ArrayLike,
    kernel: ArrayLike,
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
    padded = np.pad(pixels, padding)
    if any(k > n for k, n in zip(weights.shape, padded.shape, strict=True)):
        raise ValueError(f"the kernel {weights.shape} is larger than the image with its padding {padded.shape}")
    if stride < 1:
        raise ValueError(f"stride must be 1 or more, not {stride}")
    result = F.conv2d(_batch(padded), _batch(weights), stride=stride)[0, 0].numpy()
    row, column = at
    if not (0 <= row < result.shape[0] and 0 <= column < result.shape[1]):
        raise ValueError(f"the output is {result.shape[0]} × {result.shape[1]}: it has no place {at}")
    last = row * result.shape[1] + column
    seen = {"one": lambda i: i == last, "so far": lambda i: i <= last, "all": lambda i: True}[shown]
    texts = [
        [_number(value) if seen(r * result.shape[1] + c) else "" for c, value in enumerate(values)]
        for r, values in enumerate(result)
    ]
    grids = [_texts(padded), _texts(weights), texts]
    tall = [len(grid) for grid in grids]
    wide = [len(grid[0]) for grid in grids]
    gap = 0.45
    cell = min(0.48, (width - 2 * _EDGE - 2 * gap) / sum(wide))
    size = _fitting(grids, cell)
    top, bottom = 0.36, 0.5
    height = top + max(tall) * cell + bottom
    canvas = Canvas(width, height)
    middle = bottom + max(tall) * cell / 2
    left = (width - sum(wide) * cell - 2 * gap) / 2
    lefts = [left, left + wide[0] * cell + gap, left + (wide[0] + wide[1]) * cell + 2 * gap]
    tops = [middle + count * cell / 2 for count in tall]
    r0, c0 = row * stride, column * stride
    h, w = weights.shape
    window = {(r, c): ORANGE for r in range(r0, r0 + h) for c in range(c0, c0 + w)}
    edge = {(r, c) for r, c in np.ndindex(padded.shape)
            if not (padding <= r < padding + pixels.shape[0] and padding <= c < padding + pixels.shape[1])}  # fmt: skip
    fills = [dict.fromkeys(edge, GRAY) | window, dict.fromkeys(np.ndindex(weights.shape), BLUE), {at: ORANGE}]
    for grid, x, y, fill, faint in zip(grids, lefts, tops, fills, [edge, (), ()], strict=True):
        canvas.grid(grid, x, y, cell, fill, faint, size)
    canvas.frame(lefts[0] + c0 * cell, tops[0] - r0 * cell, w * cell, h * cell)
    canvas.frame(lefts[2] + column * cell, tops[2] - row * cell, cell, cell)
    name = f"image, padding {padding}" if padding else "image"
    for x, y, count, title in zip(lefts, tops, wide, [name, "kernel", "output"], strict=True):
        canvas.label(x + count * cell / 2, y + 0.06, title, NORMAL, va="bottom")
    canvas.label(lefts[1] - gap / 2, middle, "×", 16)
    canvas.label(lefts[2] - gap / 2, middle, "=", 16)
    part = padded[r0 : r0 + h, c0 : c0 + w]
    canvas.label(width / 2, bottom / 2, _sum(part, weights, result[row, column], width - 2 * _EDGE))
    return canvas.figure


def _sum(part: np.ndarray, weights: np.ndarray, result: float, room: float) -> str:
    """Write the products out, those by zero left out; only the result where there is no room."""
    pairs = [(p, k) for p, k in zip(part.flat, weights.flat, strict=True) if k]
    factors = [f"{_number(p)}·{_number(k) if k >= 0 else f'({_number(k)})'}" for p, k in pairs]
    text = f"{' + '.join(factors)} = {_number(result)}"
    return text if text_width(text) <= room else f"the sum of {part.size} products is {_number(result)}"


def pooling_window(
    values: ArrayLike, kernel: int = 2, stride: int | None = None, width: float = 7.0
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
    grids = [_texts(numbers), _texts(largest), _texts(average)]
    gap = 0.75
    wide = [len(grid[0]) for grid in grids]
    cell = min(0.6, (width - 2 * _EDGE - 2 * gap) / sum(wide))
    size = _fitting(grids, cell)
    tall = max(len(grid) for grid in grids)
    height = _EDGE + tall * cell + 0.42
    canvas = Canvas(width, height)
    middle = _EDGE + tall * cell / 2
    shades = [BLUE, ORANGE, GREEN, PURPLE]
    places = list(np.ndindex(largest.shape)) if step >= kernel else [(0, 0)]
    ends = {(r, c): shades[(2 * r + c) % 4] for r, c in places}
    starts = {(r * step + i, c * step + j): color for (r, c), color in ends.items()
              for i in range(kernel) for j in range(kernel)}  # fmt: skip
    x = (width - sum(wide) * cell - 2 * gap) / 2
    for grid, fill, title in zip(grids, [starts, ends, ends], ["input", "maximum", "average"], strict=True):
        top = middle + len(grid) * cell / 2
        canvas.grid(grid, x, top, cell, fill, size=size)
        canvas.label(x + len(grid[0]) * cell / 2, top + 0.06, title, va="bottom")
        x += len(grid[0]) * cell + gap
    x = (width - sum(wide) * cell - 2 * gap) / 2 + wide[0] * cell
    canvas.arrow((x + 0.12, middle), (x + gap - 0.12, middle))
    canvas.label(x + gap + wide[1] * cell + gap / 2, middle, "or")
    return canvas.figure


@dataclass(frozen=True)
class Block:
    """A step of a network: an operation, and the numbers that come out of it.

    Attributes:
        shape: (C, H, W), drawn as a stack of feature maps; or (F,), drawn as a column of units.
        operation: what leads to it from the block before, such as ``"conv 3×3\\nReLU"``.
        part: "frozen" for weights that stay, "trained" for those that learn.
        label: a name for these numbers, such as ``"photo"``.
        image: (H, W) or (1 or 3, H, W), drawn in place of the stack.
    """

    shape: tuple[int, ...]
    operation: str = ""
    part: Literal["", "frozen", "trained"] = ""
    label: str = ""
    image: ArrayLike | None = None


def layers(blocks: Sequence[Block], width: float = 7.0) -> Figure:
    """Draw a convolutional network as a row of feature maps, and the operations between them.

    Where a row has no room for all of them, it goes on below.

    Args:
        blocks: in the order of the forward pass.
        width: of the figure, in inches.

    Raises:
        ValueError: there are no blocks, or one has neither one nor three sizes.
    """
    if not blocks:
        raise ValueError("expected at least one block")
    for block in blocks:
        if len(block.shape) not in (1, 3) or min(block.shape) < 1:
            raise ValueError(f"expected a shape (C, H, W) or (F,), not {block.shape}")
    largest = max((block.shape[1] for block in blocks if len(block.shape) == 3), default=1)
    rows: list[list[Block]] = [[]]
    for block in blocks:
        used = sum(sum(_widths(b, largest)) for b in rows[-1])
        if rows[-1] and used + sum(_widths(block, largest)) > width - 2 * _EDGE:
            rows.append([])
        rows[-1].append(block)
    tall = 1.75
    canvas = Canvas(width, _EDGE + tall * len(rows))
    spare = min((width - 2 * _EDGE - sum(sum(_widths(b, largest)) for b in row)) / len(row) for row in rows)
    for index, row in enumerate(rows):
        y = canvas.figure.get_size_inches()[1] - tall * (index + 0.5) + 0.06
        x = _EDGE
        for block in row:
            x = _draw_block(canvas, block, x, y, largest, min(max(spare, 0), 0.4))
    return canvas.figure


def _widths(block: Block, largest: int) -> tuple[float, float]:
    """Return how much room a block's operation and its numbers need."""
    operation = max(text_width(block.operation, SMALL), text_width(block.part, SMALL)) + 0.2 + 2 * _ARROW
    side, sheets = _look(block, largest)
    body = max(stack_size(side, sheets), text_width(_shape(block), SMALL), text_width(block.label, SMALL))
    return (operation if block.operation else 0.0), body + 0.08


def _look(block: Block, largest: int) -> tuple[float, int]:
    """Return the side of a block's maps in inches, and how many sheets are drawn."""
    if len(block.shape) == 1:
        return 0.2, 1
    side = 0.3 + 0.6 * math.log2(1 + block.shape[1]) / math.log2(1 + largest)
    return side, 1 if block.image is not None else min(5, 1 + round(math.log2(block.shape[0]) / 2))


def _shape(block: Block) -> str:
    return " × ".join(str(size) for size in block.shape)


def _draw_block(canvas: Canvas, block: Block, x: float, y: float, largest: int, spare: float) -> float:
    """Draw a block with its operation from ``x`` on, and return where it ends."""
    operation, body = _widths(block, largest)
    if block.operation:
        wide = operation - 2 * _ARROW
        color = {"frozen": GRAY, "trained": ORANGE, "": BLUE}[block.part]
        high = text_height(block.operation, SMALL) + 0.18
        arrow = _ARROW + spare / 2
        canvas.arrow((x + 0.02, y), (x + arrow, y))
        canvas.box(x + arrow + wide / 2, y, wide, high, block.operation, color, SMALL)
        if block.part:
            canvas.label(x + arrow + wide / 2, y + high / 2 + 0.05, block.part, SMALL, color, va="bottom")
        canvas.arrow((x + arrow + wide, y), (x + 2 * arrow + wide - 0.02, y))
        x += 2 * arrow + wide
    side, sheets = _look(block, largest)
    center, reach = x + body / 2, stack_size(side, sheets)
    if block.image is not None:
        canvas.image(block.image, center, y, side)
    elif len(block.shape) == 1:
        reach = 1.0
        canvas.box(center, y, 0.26, reach, "", GREEN)
        for place in (-0.36, -0.18, 0, 0.18, 0.36):
            canvas.unit(center, y + place, 0.06, GREEN)
    else:
        canvas.stack(center, y, side, sheets, GREEN)
    canvas.label(center, y - reach / 2 - 0.05, _shape(block), SMALL, va="top")
    canvas.label(center, y + reach / 2 + 0.05, block.label, SMALL, va="bottom")
    return x + body


def normalization_axes(
    images: int = 4, channels: int = 3, size: tuple[int, int] = (4, 4), channel: int = 1, width: float = 7.0
) -> Figure:
    """Draw what batch normalization averages together: one channel, over all images and pixels.

    Args:
        images: in the batch.
        channels: of each image.
        size: height and width of a feature map.
        channel: the one that is marked, counted from 0.
        width: of the figure, in inches.

    Raises:
        ValueError: a size is below 1, or there is no such channel.
    """
    if min(images, channels, *size) < 1 or not 0 <= channel < channels:
        raise ValueError(f"no channel {channel} in {images} images of {channels} channels of {size}")
    right = 2.5
    left = 0.95
    step = min(0.82, (width - left - right - _EDGE) / channels)
    height = 0.4 + images * step + _EDGE
    canvas = Canvas(width, height)
    generator = np.random.default_rng(0)
    for n in range(images):
        y = height - 0.4 - (n + 0.5) * step
        canvas.label(_EDGE, y, f"image {n + 1}", ha="left")
        for c in range(channels):
            color = ORANGE if c == channel else BLUE
            cell = step * 0.84 / max(size)
            texts = [[""] * size[1]] * size[0]
            x0, y0 = left + (c + 0.5) * step - size[1] * cell / 2, y + size[0] * cell / 2
            canvas.grid(texts, x0, y0, cell, dict.fromkeys(np.ndindex(size), color) if c == channel else {})
    for c in range(channels):
        color = ORANGE if c == channel else GRAY
        canvas.label(left + (c + 0.5) * step, height - 0.2, f"channel {c + 1}", SMALL, color)
    del generator
    canvas.frame(left + channel * step, height - 0.4, step, images * step)
    x, y = left + channels * step, (height - 0.4 + _EDGE) / 2
    canvas.arrow((x + 0.06, y), (x + 0.4, y), ORANGE)
    count = images * size[0] * size[1]
    text = f"{images} × {size[0]} × {size[1]} = {count} numbers\nshare one mean and\none standard deviation"
    canvas.label(x + 0.48, y, text, SMALL, ha="left")
    return canvas.figure


def autoencoder(
    sizes: Sequence[int],
    image: ArrayLike | None = None,
    reconstruction: ArrayLike | None = None,
    width: float = 7.0,
    height: float = 3.0,
) -> Figure:
    """Draw an autoencoder as an hourglass: encoder, code, decoder.

    Args:
        sizes: numbers in each layer, from the input over the code, the smallest, to the output.
        image: (H, W) or (1 or 3, H, W): what goes in.
        reconstruction: what comes out.
        width: of the figure, in inches.
        height: likewise.

    Raises:
        ValueError: there are fewer than three layers, or the code is the first or the last of them.
    """
    code = int(np.argmin(sizes)) if len(sizes) else 0
    if len(sizes) < 3 or min(sizes) < 1 or code in (0, len(sizes) - 1):
        raise ValueError(f"expected sizes that shrink to a code and grow again, not {list(sizes)}")
    canvas = Canvas(width, height)
    side = 1.1
    first = _EDGE + (side + 0.35 if image is not None else 0) + 0.25
    last = width - _EDGE - (side + 0.35 if reconstruction is not None else 0) - 0.25
    xs = np.linspace(first, last, len(sizes))
    room, middle = height - 2 * _EDGE - 0.6, height / 2
    talls = [0.35 + (room - 0.35) * math.log2(size) / math.log2(max(sizes)) for size in sizes]
    for i in range(len(sizes) - 1):
        a, b = talls[i] / 2, talls[i + 1] / 2
        points = [(xs[i], middle - a), (xs[i], middle + a), (xs[i + 1], middle + b), (xs[i + 1], middle - b)]
        canvas.polygon(points, BLUE if i < code else GREEN)
    for i, (x, tall) in enumerate(zip(xs, talls, strict=True)):
        color = ORANGE if i == code else BLUE if i < code else GREEN
        canvas.box(x, middle, 0.16, tall, "", color)
        canvas.label(x, middle - tall / 2 - 0.05, f"{sizes[i]:,}", NORMAL, va="top", weight="bold")
    top = height - _EDGE
    canvas.label((xs[0] + xs[code]) / 2, top, "encoder", NORMAL, BLUE, va="top")
    canvas.label(xs[code], top, "code", NORMAL, ORANGE, va="top")
    canvas.label((xs[code] + xs[-1]) / 2, top, "decoder", NORMAL, GREEN, va="top")
    for picture, x, title, arrow in (
        (image, _EDGE + side / 2, "input", (_EDGE + side + 0.05, first - 0.1)),
        (reconstruction, width - _EDGE - side / 2, "output", (last + 0.1, width - _EDGE - side - 0.05)),
    ):
        if picture is not None:
            canvas.image(picture, x, middle, side)
            canvas.label(x, middle - side / 2 - 0.05, title, NORMAL, va="top")
            canvas.arrow((arrow[0], middle), (arrow[1], middle))
    return canvas.figure


def _check_length(name: str, given: Sequence[str], expected: int, what: str) -> None:
    if given and len(given) != expected:
        raise ValueError(f"{expected} {what}, but {len(given)} {name}")


def _matrix(name: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"expected {name} (H, W), not {array.shape}")
    return array


def _batch(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)[None, None]


def _number(value: float) -> str:
    text = f"{value:.3g}"
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
