"""Drawings of whole networks: their layers, their feature maps, their code."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from dlbook.visualize import BLUE, GRAY, GREEN, ORANGE
from dlbook.visualize.schematics.canvas import (
    EDGE,
    NORMAL,
    SMALL,
    Canvas,
    stack_size,
    text_height,
    text_width,
)

_ARROW, _COLUMN = 0.2, 1.0  # the shortest arrow, and the height of a column of units, in inches


def network(
    sizes: Sequence[int],
    labels: Sequence[str] = (),
    image: ArrayLike | Tensor | None = None,
    outputs: Sequence[str] = (),
    between: Sequence[str] = (),
    highlight: tuple[int, int] | None = None,
    dropped: Mapping[int, Collection[int]] | None = None,
    width: float = 7.0,
) -> Figure:
    """Draw a multi-layer perceptron: a column of units for each layer, and every connection.

    A layer of more than ten units shows eight of them, with an ellipsis; its number stands below.

    Args:
        sizes: units of each layer, the input's first.
        labels: one for each layer, written below its size, such as ``"input"``.
        image: (H, W) or (1 or 3, H, W), drawn to the left of the input.
        outputs: one for each unit of the last layer, to its right; for at most ten units.
        between: one for each pair of layers, written above the connections, such as ``"ReLU"``.
        highlight: (layer, unit), counted from 0 among those shown: it and what leads to it are orange.
        dropped: layer → units shown that are off, as dropout does: dashed, without connections.
        width: of the figure, in inches.

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
    names = [f"{size:,}" for size in sizes]
    slots = max(min(size, 10) for size in sizes)
    step = 0.3 if slots > 6 else 0.42
    below = text_height("0") + max((text_height(label, SMALL) for label in labels), default=0) + 0.08
    above = max((text_height(text, SMALL) for text in between), default=0)
    low, high = EDGE + below, EDGE + below + slots * step
    canvas = Canvas(width, high + above + EDGE)
    half = [
        max(text_width(name), text_width(label, SMALL), 0.3) / 2
        for name, label in zip(names, labels or names, strict=True)
    ]
    side = min(1.3, high - low) if image is not None else 0.0
    first = EDGE + max(half[0], (side + 0.3 + 0.1) if side else 0)
    last = width - EDGE - max(half[-1], 0.25 + max((text_width(t) for t in outputs), default=0))
    xs = np.linspace(first, last, len(sizes))
    columns = [_places(size, (low + high) / 2, step) for size in sizes]
    off = dropped or {}
    for layer in range(1, len(sizes)):
        for end, start in product(range(len(columns[layer])), range(len(columns[layer - 1]))):
            if start in off.get(layer - 1, ()) or end in off.get(layer, ()):
                continue
            color, thick = (ORANGE, 1.3) if highlight == (layer, end) else ("#b5b5b5", 0.5)
            ends = (xs[layer - 1], columns[layer - 1][start]), (xs[layer], columns[layer][end])
            canvas.line(*ends, color, thick)
        if between:
            canvas.label((xs[layer - 1] + xs[layer]) / 2, high + above, between[layer - 1], SMALL, va="top")
    for layer, (x, size) in enumerate(zip(xs, sizes, strict=True)):
        color = GRAY if layer == 0 else GREEN if layer == len(sizes) - 1 else BLUE
        for unit, y in enumerate(columns[layer]):
            lit = highlight == (layer, unit)
            canvas.unit(x, y, 0.4 * step, ORANGE if lit else color, unit in off.get(layer, ()))
            if outputs and layer == len(sizes) - 1:
                canvas.label(x + 0.25, y, outputs[unit], NORMAL, ha="left")
        if len(columns[layer]) < size:
            canvas.label(x, (low + high) / 2, "⋮", 16)
        canvas.label(x, low - 0.06, names[layer], NORMAL, va="top", weight="bold")
        if labels:
            canvas.label(x, low - 0.06 - text_height("0"), labels[layer], SMALL, va="top")
    if image is not None:
        canvas.image(image, EDGE + side / 2, (low + high) / 2, side)
        canvas.arrow((EDGE + side + 0.05, (low + high) / 2), (EDGE + side + 0.27, (low + high) / 2))
    return canvas.figure


def _places(size: int, middle: float, step: float) -> list[float]:
    """Return the heights of the units that are shown, from top to bottom."""
    if size > 10:
        return [middle + step * place for place in (4.5, 3.5, 2.5, 1.5, -1.5, -2.5, -3.5, -4.5)]
    return [middle + step * ((size - 1) / 2 - place) for place in range(size)]


@dataclass(frozen=True)
class Block:
    r"""A step of a network: an operation, and the numbers that come out of it.

    Attributes:
        shape: (C, H, W), drawn as a stack of feature maps; or (F,), drawn as a column of units.
        operation: what leads to it from the block before, such as ``"conv 3×3\nReLU"``.
        part: "frozen" for weights that stay, "trained" for those that learn.
        label: a name for these numbers, such as ``"photo"``.
        image: (H, W) or (1 or 3, H, W), drawn in place of the stack.
    """

    shape: tuple[int, ...]
    operation: str = ""
    part: Literal["", "frozen", "trained"] = ""
    label: str = ""
    image: ArrayLike | Tensor | None = None


def layers(blocks: Sequence[Block], width: float = 7.0) -> Figure:
    """Draw a convolutional network as a row of feature maps, and the operations between them.

    Where a row has no room for all of them, it goes on below.

    Args:
        blocks: in the order of the forward pass.
        width: of the figure, in inches.

    Raises:
        ValueError: there are no blocks, one has neither one nor three sizes, or its operation has no room.
    """
    if not blocks:
        raise ValueError("expected at least one block")
    for block in blocks:
        if len(block.shape) not in (1, 3) or min(block.shape) < 1:
            raise ValueError(f"expected a shape (C, H, W) or (F,), not {block.shape}")
    largest = max((block.shape[1] for block in blocks if len(block.shape) == 3), default=1)
    room = width - 2 * EDGE
    rows: list[list[Block]] = [[]]
    for block in blocks:
        if _needed([block], largest) > room:
            raise ValueError(f"{block.operation!r} has no room in {width} inches: break it into lines")
        if _needed([*rows[-1], block], largest) > room:
            rows.append([])
        rows[-1].append(block)
    extents = [[_extents(block, largest) for block in row] for row in rows]
    ups = [max(up for up, _ in row) for row in extents]
    downs = [max(down for _, down in row) for row in extents]
    canvas = Canvas(width, sum(ups) + sum(downs) + 0.2 * (len(rows) - 1) + 2 * EDGE)
    spare = min((room - _needed(row, largest)) / len(row) for row in rows)
    top = canvas.figure.get_size_inches()[1] - EDGE
    for row, up, down in zip(rows, ups, downs, strict=True):
        x = EDGE
        reach = max(_reach(block, largest) for block in row) / 2
        for block in row:
            x = _draw_block(canvas, block, x, top - up, largest, min(max(spare, 0), 0.4), reach)
        top -= up + down + 0.2
    return canvas.figure


def _extents(block: Block, largest: int) -> tuple[float, float]:
    """Return how far a block reaches above and below the middle of its row."""
    half = _reach(block, largest) / 2 + 0.05
    operation = text_height(block.operation, SMALL) / 2 + 0.1
    return (
        max(half + text_height(block.label, SMALL), operation + text_height(block.part, SMALL) + 0.05),
        max(half + text_height("0", SMALL), operation),
    )


def _widths(block: Block, largest: int) -> tuple[float, float]:
    """Return how much room a block's operation and its numbers need."""
    operation = max(text_width(block.operation, SMALL), text_width(block.part, SMALL)) + 0.2 + 2 * _ARROW
    side, sheets = _look(block, largest)
    body = max(stack_size(side, sheets), text_width(_shape(block), SMALL), text_width(block.label, SMALL))
    return (operation if block.operation else 0.0), body + 0.08


def _needed(blocks: Sequence[Block], largest: int) -> float:
    """Return how much room blocks need beside each other."""
    return sum(sum(_widths(block, largest)) for block in blocks)


def _reach(block: Block, largest: int) -> float:
    """Return how tall a block's maps or units are."""
    return _COLUMN if len(block.shape) == 1 else stack_size(*_look(block, largest))


def _look(block: Block, largest: int) -> tuple[float, int]:
    """Return the side of a block's maps in inches, and how many sheets are drawn."""
    if len(block.shape) == 1:
        return 0.2, 1
    side = 0.3 + 0.6 * math.log2(1 + block.shape[1]) / math.log2(1 + largest)
    return side, 1 if block.image is not None else min(5, 1 + round(math.log2(block.shape[0]) / 2))


def _shape(block: Block) -> str:
    return " × ".join(str(size) for size in block.shape)


def _draw_block(
    canvas: Canvas, block: Block, x: float, y: float, largest: int, spare: float, reach: float
) -> float:
    """Draw a block from ``x`` on, its shape ``reach`` below the middle, and return where it ends."""
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
    center = x + body / 2
    if block.image is not None:
        canvas.image(block.image, center, y, side)
    elif len(block.shape) == 1:
        canvas.box(center, y, 0.26, _COLUMN, "", GREEN)
        for place in (-0.36, -0.18, 0, 0.18, 0.36):
            canvas.unit(center, y + place, 0.06, GREEN)
    else:
        canvas.stack(center, y, side, sheets, GREEN)
    canvas.label(center, y - reach - 0.05, _shape(block), SMALL, va="top")
    canvas.label(center, y + _reach(block, largest) / 2 + 0.05, block.label, SMALL, va="bottom")
    return x + body


def autoencoder(
    sizes: Sequence[int],
    image: ArrayLike | Tensor | None = None,
    reconstruction: ArrayLike | Tensor | None = None,
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
    first = EDGE + (side + 0.35 if image is not None else 0) + 0.25
    last = width - EDGE - (side + 0.35 if reconstruction is not None else 0) - 0.25
    xs = np.linspace(first, last, len(sizes))
    room, middle = height - 2 * EDGE - 0.6, height / 2
    # By the root: in proportion, a code would be a dot; by the logarithm, it would not look narrow.
    talls = [max(0.35, room * math.sqrt(size / max(sizes))) for size in sizes]
    for i in range(len(sizes) - 1):
        a, b = talls[i] / 2, talls[i + 1] / 2
        points = [(xs[i], middle - a), (xs[i], middle + a), (xs[i + 1], middle + b), (xs[i + 1], middle - b)]
        canvas.polygon(points, BLUE if i < code else GREEN)
    for i, (x, tall) in enumerate(zip(xs, talls, strict=True)):
        color = ORANGE if i == code else BLUE if i < code else GREEN
        canvas.box(x, middle, 0.16, tall, "", color)
        canvas.label(x, middle - tall / 2 - 0.05, f"{sizes[i]:,}", NORMAL, va="top", weight="bold")
    top = height - EDGE
    canvas.label((xs[0] + xs[code]) / 2, top, "encoder", NORMAL, BLUE, va="top")
    canvas.label(xs[code], top, "code", NORMAL, ORANGE, va="top")
    canvas.label((xs[code] + xs[-1]) / 2, top, "decoder", NORMAL, GREEN, va="top")
    for picture, x, title, arrow in (
        (image, EDGE + side / 2, "input", (EDGE + side + 0.05, first - 0.1)),
        (reconstruction, width - EDGE - side / 2, "output", (last + 0.1, width - EDGE - side - 0.05)),
    ):
        if picture is not None:
            canvas.image(picture, x, middle, side)
            canvas.label(x, middle - side / 2 - 0.05, title, NORMAL, va="top")
            canvas.arrow((arrow[0], middle), (arrow[1], middle))
    return canvas.figure


def _check_length(name: str, given: Sequence[str], expected: int, what: str) -> None:
    if given and len(given) != expected:
        raise ValueError(f"{expected} {what}, but {len(given)} {name}")
