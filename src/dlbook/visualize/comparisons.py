"""Images side by side, to compare what several networks made of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from dlbook import visualize


def image_rows(
    rows: Mapping[str, Tensor], titles: Sequence[str] = (), size: float = 0.6, signed: bool = False
) -> Figure:
    """Show rows of images to compare, the name of each row beside it.

    Args:
        rows: name → images (N, 1, H, W), floats; below 0 they are black, and above 1 white.
        titles: one above each column, or none.
        size: width of an image, in inches.
        signed: blue below zero, white at zero, red above, each image on its own scale.

    Raises:
        ValueError: the rows differ in shape, there is none, or the number of titles does not fit.
    """
    shapes = {images.shape for images in rows.values()}
    if len(shapes) != 1:
        raise ValueError(f"expected rows of one shape, not {[tuple(shape) for shape in shapes]}")
    count, channels, high, wide = shapes.pop()
    if channels != 1 or len(titles) not in (0, count):
        raise ValueError(f"expected one channel and no or {count} titles, not {channels} and {len(titles)}")
    down, across = high + 2, wide + 2  # a white line of two pixels between images
    canvas = np.full((len(rows) * down - 2, count * across - 2), np.nan)
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images.detach().cpu().double().numpy()[:, 0]):
            shown = image / (np.abs(image).max() or 1.0) if signed else image
            canvas[row * down :, column * across :][:high, :wide] = shown
    width = count * size + 0.1 + 0.085 * max(map(len, rows))
    height = len(rows) * size + (0.3 if titles else 0.05)
    figure, (ax,) = visualize.subplots(width=width, height=height)
    ax.grid(visible=False)
    ax.imshow(canvas, cmap="RdBu_r" if signed else "gray", vmin=-1 if signed else 0, vmax=1)
    ax.set_yticks([row * down + high / 2 - 0.5 for row in range(len(rows))], list(rows))
    ax.set_xticks([column * across + wide / 2 - 0.5 for column in range(len(titles))], list(titles))
    ax.tick_params(length=0, top=False, labeltop=bool(titles), labelbottom=False)
    ax.spines[:].set_visible(False)
    return figure
