"""Figures of what layers put out: maps on one scale, and maps laid over their images."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from dlbook.visualize import _style

_COUNTABLE = 5


def map_rows(
    rows: Mapping[str, Tensor],
    titles: Sequence[str] = (),
    *,
    label: str = "",
    limit: float | None = None,
    width: float = 7.0,
) -> Figure:
    """Show maps in rows, all on one scale: blue below zero, white at zero, red above.

    Args:
        rows: name of the row → maps (K, H, W); rows may differ in H and W.
        titles: one for each column, or none.
        label: what the color bar measures.
        limit: the value at the ends of the scale; None takes the largest absolute value.
        width: of the figure, in inches.

    Raises:
        ValueError: rows or titles differ in number from the columns.
    """
    counts = {len(maps) for maps in rows.values()} | ({len(titles)} if titles else set())
    if len(counts) != 1:
        raise ValueError(f"rows and titles need one length, not {sorted(counts)}")
    columns = counts.pop()
    largest = max(maps.abs().max().item() for maps in rows.values())
    limit = limit or largest or 1.0
    shape = next(iter(rows.values())).shape
    side = (width - 1.4) / columns
    height = len(rows) * (side * shape[1] / shape[2] + 0.08) + 0.3
    with _style(**{"axes.grid": False}):
        figure, axes = plt.subplots(len(rows), columns, figsize=(width, height), squeeze=False)
    for (name, maps), line in zip(rows.items(), axes, strict=True):
        for image, ax in zip(maps.detach().cpu(), line, strict=True):
            shown = ax.imshow(image.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(visible=True, color="#bbbbbb", linewidth=0.6)
            _outline_cells(ax, image)
        line[0].set_ylabel(name, fontsize=9)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title, fontsize=9, pad=3)
    figure.colorbar(shown, ax=axes, fraction=0.03, pad=0.01, aspect=12 * len(rows)).set_label(label)
    return figure


def _outline_cells(ax: Axes, image: Tensor) -> None:
    """Draw lines between the values of a map that is small enough to count them."""
    if max(image.shape) <= _COUNTABLE:
        for place in range(1, image.shape[0]):
            ax.axhline(place - 0.5, color="white", linewidth=1)
        for place in range(1, image.shape[1]):
            ax.axvline(place - 0.5, color="white", linewidth=1)


def overlays(
    images: Tensor,
    rows: Mapping[str, Tensor],
    titles: Sequence[str] = (),
    centers: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Show images, and below each its maps, laid over the image in gray.

    Maps are enlarged to the image, bilinearly; beyond the outermost centers, the values there go on. Each
    is on its own scale, from minus to plus its largest absolute value: blue below zero, red above, and the
    more opaque, the further from zero.

    Args:
        images: (N, 3, H, W) uint8.
        rows: name of the row → maps (N, h, w).
        titles: one for each image, or none.
        centers: name of the row → the pixel (counted from 0, the same along both axes) to which the map's
            first value belongs, and the pixels from one value to the next. Without it, the values of a map
            share the image out among themselves.
    """
    count, (height, width) = len(images), images.shape[2:]
    with _style(**{"axes.grid": False}):
        size = (7.0, (len(rows) + 1) * 7.0 / count + 0.35)
        figure, axes = plt.subplots(len(rows) + 1, count, figsize=size, squeeze=False)
    for image, ax in zip(images.permute(0, 2, 3, 1), axes[0], strict=True):
        ax.imshow(image.numpy())
    for (name, maps), line in zip(rows.items(), axes[1:], strict=True):
        large = _enlarged(maps.float(), (height, width), (centers or {}).get(name))
        for image, values, ax in zip(images, large, line, strict=True):
            share = values / values.abs().max().clamp(min=1e-12)
            ax.imshow(image.float().mean(dim=0).numpy(), cmap="gray", vmin=0, vmax=255)
            ax.imshow(share.numpy(), cmap="RdBu_r", vmin=-1, vmax=1, alpha=share.abs().sqrt().numpy() * 0.85)
        line[0].set_ylabel(name, fontsize=9)
    axes[0, 0].set_ylabel("image", fontsize=9)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax, title in zip(axes[0], titles, strict=False):
        ax.set_title(title, fontsize=9, pad=3)
    return figure


def _enlarged(maps: Tensor, size: tuple[int, int], center: tuple[float, float] | None) -> Tensor:
    """Return (N, H, W): maps (N, h, w) read bilinearly at every pixel."""
    grids = []
    for length, count in zip(size, maps.shape[1:], strict=True):
        first, step = center or ((length / count - 1) / 2, length / count)
        index = (torch.arange(length) - first) / step  # of the map's values, at every pixel
        grids.append(2 * index / max(count - 1, 1) - 1)
    rows, columns = torch.meshgrid(*grids, indexing="ij")
    grid = torch.stack([columns, rows], dim=-1).expand(len(maps), -1, -1, -1)
    sample = torch.nn.functional.grid_sample
    return sample(maps[:, None], grid, padding_mode="border", align_corners=True)[:, 0]
