"""Pooling that blurs before it drops values, and images moved by whole pixels."""

import numpy as np
import torch
import torch.fx
import torch.nn.functional as F
from scipy import special
from torch import Tensor, nn
from torchvision.transforms import v2


def binomial(size: int) -> Tensor:
    """Return the row of Pascal's triangle with ``size`` numbers, divided by its sum: (size,) float32.

    Raises:
        ValueError: the size is below 1.
    """
    if size < 1:
        raise ValueError(f"a filter has at least 1 number, not {size}")
    row = torch.from_numpy(special.binom(size - 1, np.arange(size)))
    return (row / row.sum()).float()


@torch.fx.wrap
def _blur(maps: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Blur each channel for itself, in single precision at least: one step to whoever traces a model.

    In half precision CPUs convolve channel by channel six times as slowly.
    """
    channels, dtype = maps.shape[1], torch.promote_types(maps.dtype, torch.float32)
    with torch.autocast(maps.device.type, enabled=False):
        padded = F.pad(maps.to(dtype), [len(kernel) // 2] * 4, mode="reflect")
        kernels = kernel.to(dtype).expand(channels, 1, -1, -1)
        return F.conv2d(padded, kernels, stride=stride, groups=channels).to(maps.dtype)


class BlurPool2d(nn.Module):
    """Blur with a binomial filter, then keep every ``stride``-th value (Zhang, 2019).

    The border is mirrored. The filter is fixed: it has no parameters to train.

    Args:
        size: values along a side of the filter, odd.
        stride: which values stay.

    Raises:
        ValueError: the size is even or below 1, or the stride below 1.
    """

    kernel: Tensor

    def __init__(self, size: int = 3, stride: int = 2) -> None:
        super().__init__()
        if size % 2 == 0 or size < 1 or stride < 1:
            raise ValueError(f"the size must be odd and the stride at least 1, not {size} and {stride}")
        self.kernel_size, self.stride, self.padding = size, stride, size // 2
        self.register_buffer("kernel", torch.outer(binomial(size), binomial(size)))

    def forward(self, maps: Tensor) -> Tensor:
        """Return (N, C, ⌈H / stride⌉, ⌈W / stride⌉) for maps (N, C, H, W)."""
        return _blur(maps, self.kernel, self.stride)

    def extra_repr(self) -> str:
        """Show the numbers that describe it, as PyTorch's own layers do."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}"


def shift(images: Tensor, down: int, right: int) -> Tensor:
    """Move images by whole pixels; what enters at the edge is a mirror image of what lies there.

    Args:
        images: (N, C, H, W), of any dtype.
        down: rows to move by; negative moves up. Smaller than H.
        right: columns to move by; negative moves left. Smaller than W.

    Returns:
        As ``images``.

    Raises:
        ValueError: a shift is not smaller than the image.
    """
    height, width = images.shape[2:]
    if abs(down) >= height or abs(right) >= width:
        raise ValueError(f"images of {height}×{width} cannot move by ({down}, {right})")
    enters = [max(right, 0), max(down, 0), max(-right, 0), max(-down, 0)]  # left, top, right, bottom
    padded = v2.functional.pad(images, enters, padding_mode="reflect")
    return padded[:, :, enters[3] : enters[3] + height, enters[2] : enters[2] + width]
