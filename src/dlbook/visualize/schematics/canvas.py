"""A sheet to draw schematics on: boxes, arrows, units, feature maps, grids of numbers; in inches."""

from collections.abc import Container
from functools import cache

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle
from matplotlib.textpath import TextPath
from numpy.typing import ArrayLike
from torch import Tensor

from dlbook.visualize import BLUE, GRAY, INK, ORANGE, displayable, subplots

SMALLEST, SMALL, NORMAL = 9.0, 11.0, 12.0  # font sizes, in points
EDGE = 0.12  # inches that stay free at the edge of a sheet
_SHEET = 0.055  # inches between two sheets of a stack


def pale(color: str, share: float = 0.2) -> tuple[float, float, float]:
    """Return that color mixed with white; ``share`` is the color's part, 0 to 1."""
    red, green, blue = (1 - share * (1 - part) for part in to_rgb(color))
    return red, green, blue


@cache
def text_width(text: str, size: float = NORMAL) -> float:
    """Return the width of the text's longest line in inches; ``size`` in points."""
    lines = [line for line in text.split("\n") if line.strip()]
    return max((TextPath((0, 0), line, size=size).get_extents().x1 / 72 for line in lines), default=0.0)


def text_height(text: str, size: float = NORMAL) -> float:
    """Return the height of the text's lines in inches."""
    return (1 + text.count("\n")) * size * 1.2 / 72 if text else 0.0


def array_of(values: ArrayLike | Tensor) -> np.ndarray:
    """Return the values as an array; a tensor may lie on any device, and belong to a graph."""
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def planes_of(image: ArrayLike | Tensor) -> np.ndarray:
    """Return an image, (H, W), (1, H, W) or (3, H, W), with its channels first.

    Raises:
        ValueError: it has another shape.
    """
    array = array_of(image)
    planes = array[None] if array.ndim == 2 else array
    if planes.ndim != 3 or planes.shape[0] not in (1, 3):
        raise ValueError(f"expected an image (H, W), (1, H, W) or (3, H, W), not {array.shape}")
    return planes


class Canvas:
    """A white sheet without axes; the origin is at the lower left, and all lengths are inches.

    Args:
        width: of the sheet.
        height: likewise.
    """

    def __init__(self, width: float = 7.0, height: float = 3.0) -> None:
        self.figure, (self.ax,) = subplots(width=width, height=height)
        self.figure.set_layout_engine("none")
        self.ax.set_position((0, 0, 1, 1))
        self.ax.set(xlim=(0, width), ylim=(0, height))
        self.ax.axis("off")

    def label(
        self,
        x: float,
        y: float,
        text: str,
        size: float = NORMAL,
        color: str = INK,
        ha: str = "center",
        va: str = "center",
        weight: str = "normal",
    ) -> None:
        """Write a text at a point; ``size`` in points, never below `SMALLEST`.

        Texts at one height stand on one baseline, whether or not their letters reach below it.
        """
        size = max(size, SMALLEST)
        if va == "top":
            y, va = y - (0.78 + 1.15 * text.count("\n")) * size / 72, "baseline"  # the last line's
        elif va == "bottom":
            y, va = y + 0.24 * size / 72, "baseline"
        self.ax.text(x, y, text, fontsize=size, color=color, ha=ha, va=va, weight=weight, linespacing=1.2)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        color: str = BLUE,
        size: float = NORMAL,
    ) -> None:
        """Draw a rounded box with its text; (x, y) is its center."""
        corner = min(0.08, width / 3, height / 3)
        patch = FancyBboxPatch(
            (x - width / 2 + corner, y - height / 2 + corner),
            width - 2 * corner,
            height - 2 * corner,
            boxstyle=f"round,pad={corner}",
            facecolor=pale(color),
            edgecolor=color,
            linewidth=1.2,
            zorder=2,
        )
        self.ax.add_patch(patch)
        self.label(x, y, text, size)

    def arrow(self, start: tuple[float, float], end: tuple[float, float], color: str = GRAY) -> None:
        """Draw a thin arrow."""
        self.ax.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>",
                mutation_scale=9,
                color=color,
                linewidth=1.1,
                shrinkA=0,
                shrinkB=0,
                zorder=3,
            )
        )

    def line(
        self, start: tuple[float, float], end: tuple[float, float], color: str = GRAY, width: float = 0.5
    ) -> None:
        """Draw a line; ``width`` in points."""
        self.ax.plot([start[0], end[0]], [start[1], end[1]], color=color, linewidth=width, zorder=1)

    def unit(self, x: float, y: float, radius: float, color: str = BLUE, off: bool = False) -> None:
        """Draw a unit of a layer as a circle; one that is off is empty and dashed."""
        face, line = (self.figure.get_facecolor(), "--") if off else (pale(color), "-")
        edge = GRAY if off else color
        self.ax.add_patch(
            Circle((x, y), radius, facecolor=face, edgecolor=edge, linestyle=line, linewidth=1.2, zorder=2)
        )

    def polygon(self, points: list[tuple[float, float]], color: str = BLUE) -> None:
        """Fill a polygon."""
        self.ax.add_patch(
            Polygon(
                points, facecolor=pale(color), edgecolor=color, linewidth=1.2, joinstyle="round", zorder=2
            )
        )

    def image(self, image: ArrayLike | Tensor, x: float, y: float, side: float) -> None:
        """Show an image, (H, W) or (1 or 3, H, W), on any scale, in a square around (x, y)."""
        box = (x - side / 2, x + side / 2, y - side / 2, y + side / 2)
        (pixels,), options = displayable(planes_of(image)[None])
        self.ax.imshow(pixels, extent=box, aspect="auto", zorder=2, **options)
        width, height = self.figure.get_size_inches()
        self.ax.set(xlim=(0, width), ylim=(0, height))

    def stack(self, x: float, y: float, side: float, sheets: int, color: str = BLUE) -> None:
        """Draw feature maps as sheets that lie behind each other; (x, y) is the center of the stack."""
        reach = (sheets - 1) * _SHEET
        for sheet in range(sheets):
            left = x - (side + reach) / 2 + reach - sheet * _SHEET
            low = y - (side + reach) / 2 + reach - sheet * _SHEET
            self.ax.add_patch(
                Rectangle((left, low), side, side, facecolor=pale(color), edgecolor=color, zorder=2)
            )

    def grid(
        self,
        texts: list[list[str]],
        left: float,
        top: float,
        cell: float,
        colors: dict[tuple[int, int], str],
        faint: Container[tuple[int, int]] = (),
        size: float = NORMAL,
    ) -> None:
        """Draw a grid of cells with a text in each.

        Args:
            texts: for each row, one for each column.
            left: edge of the grid.
            top: likewise.
            cell: side of a cell.
            colors: (row, column) → color of that cell, drawn pale; the others are empty.
            faint: cells whose text is gray, and whose color is paler.
            size: of the texts, in points.
        """
        for row, cells in enumerate(texts):
            for column, text in enumerate(cells):
                place = (row, column)
                share = 0.12 if place in faint else 0.3
                face = pale(colors[place], share) if place in colors else self.figure.get_facecolor()
                corner = (left + column * cell, top - (row + 1) * cell)
                self.ax.add_patch(
                    Rectangle(
                        corner, cell, cell, facecolor=face, edgecolor="#bbbbbb", linewidth=0.8, zorder=2
                    )
                )
                ink = GRAY if place in faint else INK
                self.label(corner[0] + cell / 2, corner[1] + cell / 2, text, size, ink)

    def frame(self, left: float, top: float, width: float, height: float, color: str = ORANGE) -> None:
        """Draw a thick frame, such as around the window of a filter."""
        self.ax.add_patch(
            Rectangle(
                (left, top - height), width, height, fill=False, edgecolor=color, linewidth=2.2, zorder=4
            )
        )


def stack_size(side: float, sheets: int) -> float:
    """Return the width, and height, of a stack of feature maps."""
    return side + (sheets - 1) * _SHEET
