"""A small convolutional network for small images: that of the chapter on CIFAR-10."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_POOLED = (1, 2)  # the convolutions, counted from 0, that max pooling follows


class CNN(nn.Module):
    """Convolutions with batch normalization and GELU, and a linear layer on the largest value of each map.

    The first convolution has 4×4 filters and a stride of 2, so that neighboring patches overlap by half, no
    pixel is seen more often than another, and height and width are halved. The others have 3×3 filters. 2×2
    max pooling follows the second convolution and the third, before their normalization.

    Args:
        widths: channels of each convolution.
        batch_norm: whether to normalize (Ioffe & Szegedy, 2015). Without it, convolutions have a bias, which
            a normalization would subtract again.
        class_count: number of logits.
        channels: of the images.

    Raises:
        ValueError: there is no convolution, or a size is below 1.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 32, 64, 128, 128),
        *,
        batch_norm: bool = True,
        class_count: int = 10,
        channels: int = 3,
    ) -> None:
        super().__init__()
        if not widths or min(*widths, class_count, channels) < 1:
            raise ValueError(f"a CNN needs at least one convolution, and sizes ≥ 1, not {widths=}")
        layers: list[nn.Module] = []
        for number, width in enumerate(widths):
            size, stride = (4, 2) if number == 0 else (3, 1)
            layers.append(nn.Conv2d(channels, width, size, stride, padding=1, bias=not batch_norm))
            layers += [nn.MaxPool2d(2)] if number in _POOLED else []
            layers += [nn.BatchNorm2d(width)] if batch_norm else []
            layers.append(nn.GELU())
            channels = width
        layers += [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(channels, class_count)]
        self.layers = nn.Sequential(*layers)
        # Channels last in memory: several times as fast on a CPU, and what a GPU's matrix units take.
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, ``class_count``) for images (N, ``channels``, H, W), floating point."""
        return self.layers(images)
