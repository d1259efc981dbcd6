"""A convolutional network as a chain of named layers, whose pooling can be exchanged."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import nn

from dlbook.pooling import BlurPool2d


def max_blur_pool() -> nn.Sequential:
    """Return max pooling that blurs before it drops values (Zhang, 2019): half the height and width."""
    return nn.Sequential(nn.MaxPool2d(2, stride=1), BlurPool2d(3, stride=2))


def layered_cnn(
    widths: Sequence[int] = (16, 32, 64),
    pool: Callable[[], nn.Module] = lambda: nn.MaxPool2d(2),
    first_kernel: int = 5,
    class_count: int = 10,
) -> nn.Sequential:
    """Return a chain of stages, and a linear layer on the average of each channel of the last stage.

    Stage i has the layers ``conv{i}``, ``norm{i}``, ``relu{i}`` and, but for the last stage,
    ``pool{i}``. Then come ``average``, ``flatten`` and ``linear``. A slice such as ``model[:4]`` is the
    network up to there.

    Args:
        widths: channels of each stage.
        pool: returns a layer that halves height and width.
        first_kernel: side of the first stage's filters, odd; those of the others are 3×3.
        class_count: number of logits.

    Returns:
        From images (N, 3, H, W), floating point, to logits (N, ``class_count``).

    Raises:
        ValueError: there is no stage, a size is below 1, or the first kernel is even.
    """
    if not widths or min(*widths, class_count, first_kernel) < 1 or first_kernel % 2 == 0:
        raise ValueError(f"stages of at least one channel and an odd kernel, not {widths} and {first_kernel}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, kernel = 3, first_kernel
    for stage, width in enumerate(widths, start=1):
        # No bias: the normalization subtracts it again, and has a shift of its own.
        layers[f"conv{stage}"] = nn.Conv2d(channels, width, kernel, padding=kernel // 2, bias=False)
        layers[f"norm{stage}"] = nn.BatchNorm2d(width)
        layers[f"relu{stage}"] = nn.ReLU()
        if stage < len(widths):
            layers[f"pool{stage}"] = pool()
        channels, kernel = width, 3
    layers["average"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten()
    layers["linear"] = nn.Linear(channels, class_count)
    # Channels last in memory is faster, on CPUs and on GPUs.
    return nn.Sequential(layers).to(memory_format=torch.channels_last)
