"""Augmentation: every epoch sees each training image anew, in a way that leaves its label true."""

from collections.abc import Callable

import torch
from torch import Tensor

Augment = Callable[[Tensor, torch.Generator], Tensor]


def crop_and_flip(padding: int = 2, flip: bool = True) -> Augment:
    """Return an augmentation that shifts each image at random, and mirrors every other one.

    The shift is a crop of the original size from the image continued by reflection at its borders
    (`torch.nn.functional.pad`, mode ``reflect``). Both are a choice of rows and columns, so one
    indexing does them for the whole batch, on the batch's device.

    Args:
        padding: the largest shift in each direction, in pixels; 0 for none.
        flip: whether an image is mirrored left to right, with probability 1/2.

    Returns:
        A function from images (B, C, H, W) of any dtype, and the CPU generator to draw from, to images
        of the same shape and dtype. It raises ValueError where the padding is not below H and W.

    Raises:
        ValueError: the padding is negative.
    """
    if padding < 0:
        raise ValueError(f"padding is a number of pixels from 0 up, not {padding}")

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        if padding >= min(height, width):
            raise ValueError(f"images of {height}×{width} have no {padding} pixels to reflect at a border")
        down, right = torch.randint(-padding, padding + 1, (2, count, 1), generator=generator)
        rows = _reflect(torch.arange(height) + down, height)
        columns = _reflect(torch.arange(width) + right, width)
        if flip:
            mirrored = torch.rand(count, 1, generator=generator) < 0.5
            columns = torch.where(mirrored, columns.flip(1), columns)
        rows, columns = rows.to(images.device), columns.to(images.device)
        each = torch.arange(count, device=images.device)
        # (B, 1, 1), (B, H, 1) and (B, 1, W) choose a pixel each; the channels come out last.
        chosen = images[each[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        return chosen.permute(0, 3, 1, 2)

    return augment


def _reflect(index: Tensor, size: int) -> Tensor:
    """Fold indices from outside 0 to ``size`` - 1 back inside, as at mirrors on the first and last pixel."""
    return (size - 1) - ((size - 1) - index.abs()).abs()
