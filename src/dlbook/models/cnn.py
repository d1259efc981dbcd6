"""A small convolutional network for small images."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_block(
    channels_in: int, channels_out: int, batch_norm: bool = True, stride: int = 1
) -> nn.Sequential:
    """Return a convolution, batch normalization (Ioffe & Szegedy, 2015) if wanted, and ReLU.

    With stride 1 the kernel is 3×3 and the output as large as the input; with stride 2 it is 4×4, so
    that neighboring patches overlap by half and no pixel is seen more often than another, and the output
    has half the height and width.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        batch_norm: whether to normalize; the convolution needs no bias then, as the normalization
            subtracts it again and has a shift of its own.
        stride: 1 or 2.
    """
    convolution = nn.Conv2d(
        channels_in, channels_out, kernel_size=stride + 2, stride=stride, padding=1, bias=not batch_norm
    )
    normalization = [nn.BatchNorm2d(channels_out)] if batch_norm else []
    return nn.Sequential(convolution, *normalization, nn.ReLU())


class CNN(nn.Module):
    """A convolutional network: a stem, stages that halve the image, and one linear layer on top.

    Each stage halves height and width with 2×2 max pooling, and then convolves ``depth`` times. The
    largest response of each channel of the last stage, wherever it is, goes to the linear layer.

    Its parts have names: ``stem``, ``stages`` (one item a stage) and ``head``.

    Args:
        stem: channels of the first convolution.
        widths: channels of each stage.
        depth: convolutions in each stage.
        stem_stride: 1, or 2 to halve the image at once: a quarter of the work for what follows.
        batch_norm: whether every convolution is followed by batch normalization.
        class_count: number of logits.
        channels: of the images.

    Raises:
        ValueError: there is no stage, a size is below 1, or the stride is neither 1 nor 2.
    """

    def __init__(
        self,
        stem: int = 32,
        widths: Sequence[int] = (32, 64, 128),
        depth: int = 2,
        *,
        stem_stride: int = 2,
        batch_norm: bool = True,
        class_count: int = 10,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if not widths or min(stem, *widths, depth, class_count, channels) < 1:
            raise ValueError(
                f"a CNN needs at least one stage, and sizes ≥ 1, not {stem=}, {widths=}, {depth=}"
            )
        if stem_stride not in (1, 2):
            raise ValueError(f"the stem's stride is 1 or 2, not {stem_stride}")
        self.channels = channels
        self.stem = conv_block(channels, stem, batch_norm, stem_stride)
        self.stages = nn.Sequential(
            *(
                _stage(before, width, depth, batch_norm)
                for before, width in itertools.pairwise((stem, *widths))
            )
        )
        self.head = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(widths[-1], class_count))
        # Channels last in memory: three times as fast on a CPU, and what a GPU's matrix units take.
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, ``class_count``) for images (N, ``channels``, H, W), floating point.

        Raises:
            ValueError: the images have another number of channels, or are not floating point.
        """
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise ValueError(
                f"this CNN takes images (N, {self.channels}, H, W), not of shape {tuple(images.shape)}"
            )
        if not images.is_floating_point():
            raise ValueError(
                f"this CNN takes floating-point images, not {images.dtype}: "
                "scale the pixels first, for example with dlbook.data.standardize"
            )
        return self.head(self.stages(self.stem(images)))


def _stage(channels_in: int, width: int, depth: int, batch_norm: bool) -> nn.Sequential:
    """Return max pooling, and ``depth`` convolutions to ``width`` channels."""
    sizes = (channels_in, *[width] * depth)
    blocks = [conv_block(before, after, batch_norm) for before, after in itertools.pairwise(sizes)]
    return nn.Sequential(nn.MaxPool2d(2), *blocks)
