"""A small convolutional network for small images."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def conv_block(
    channels_in: int,
    channels_out: int,
    batch_norm: bool = True,
    stride: int = 1,
    pool: bool = False,
) -> nn.Sequential:
    """Return a convolution, batch normalization (Ioffe & Szegedy, 2015) if wanted, and GELU.

    With stride 1 the kernel is 3×3; with stride 2 it is 4×4, so that neighboring patches overlap by half and
    no pixel is seen more often than another, and the output has half the height and width. The GELU
    (Hendrycks & Gimpel, 2016) is a ReLU without the corner.

    Args:
        channels_in: channels of the input.
        channels_out: channels of the output.
        batch_norm: whether to normalize; the convolution needs no bias then, as the normalization
            subtracts it again and has a shift of its own.
        stride: 1 or 2.
        pool: whether 2×2 max pooling follows the convolution, before the normalization.
    """
    convolution = nn.Conv2d(
        channels_in, channels_out, kernel_size=stride + 2, stride=stride, padding=1, bias=not batch_norm
    )
    pooling = [nn.MaxPool2d(2)] if pool else []
    normalization = [nn.BatchNorm2d(channels_out)] if batch_norm else []
    return nn.Sequential(convolution, *pooling, *normalization, nn.GELU())


class CNN(nn.Module):
    """A convolutional network: a stem, stages of convolutions with pooling between them, a linear layer.

    2×2 max pooling between two stages halves height and width. The largest response of each channel of the
    last stage, wherever it is, goes to the linear layer.

    Its parts have names: ``stem``, ``stages`` (one item a stage, its pooling included) and ``head``.

    Args:
        stem: channels of the first convolution.
        stages: for each stage, the channels of its convolutions one after another. A stage may be empty:
            with ``()`` first, the stem alone sees the image at its own resolution.
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
        stages: Sequence[Sequence[int]] = ((32,), (64,), (128, 128)),
        *,
        stem_stride: int = 2,
        batch_norm: bool = True,
        class_count: int = 10,
        channels: int = 3,
    ) -> None:
        super().__init__()
        widths = (stem, *itertools.chain.from_iterable(stages))
        if not stages or min(*widths, class_count, channels) < 1:
            raise ValueError(f"a CNN needs at least one stage, and sizes ≥ 1, not {stem=} and {stages=}")
        if stem_stride not in (1, 2):
            raise ValueError(f"the stem's stride is 1 or 2, not {stem_stride}")
        self.stem = conv_block(channels, stem, batch_norm, stem_stride)
        self.stages, width = nn.Sequential(), stem
        for number, stage in enumerate(stages):
            blocks: list[nn.Module] = [nn.MaxPool2d(2)] if number > 0 else []
            for channels_out in stage:
                blocks.append(conv_block(width, channels_out, batch_norm))
                width = channels_out
            self.stages.append(nn.Sequential(*blocks))
        self.head = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(width, class_count))
        # Channels last in memory: several times as fast on a CPU, and what a GPU's matrix units take.
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, ``class_count``) for images (N, ``channels``, H, W), floating point."""
        return self.head(self.stages(self.stem(images)))
