"""VGG networks (Simonyan & Zisserman, 2015), described by a list: a width a convolution, M a pooling."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models as zoo

from dlbook import data

# Nine convolutions for images of 32 to about 100 pixels.
SMALL: tuple[int | str, ...] = (32, "M", 64, 64, "M", 128, 128, 128, "M", 256, 256, 256)


class VGG(nn.Module):
    """A VGG network with batch normalization that takes images of any size.

    The original flattens a 7×7 map and ends in three linear layers. This one averages over the map, so
    that the size of the image is free, and ends in one. The parts have torchvision's names, ``features``
    and ``classifier``, and the last of ``classifier`` is the last linear layer.

    Args:
        layers: the width of a 3×3 convolution, which batch normalization and ReLU follow, or ``"M"``
            for a 2×2 max pooling.
        class_count: K, the number of logits.
        dropout: probability with which training sets a penultimate feature to zero (0 to 1, 1 excluded).

    Raises:
        ValueError: an entry is neither a width nor ``"M"``, or a number is out of range.
    """

    def __init__(
        self, layers: Sequence[int | str] = SMALL, class_count: int = 10, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if class_count < 1 or not 0 <= dropout < 1:
            raise ValueError(f"expected a class and a dropout from 0 to below 1: {class_count}, {dropout}")
        self.features = _convolutions(layers)
        if not self.widths:
            raise ValueError(f"a VGG needs at least one width in its layers, not {layers}")
        self.feature_count = self.widths[-1]
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.feature_count, class_count))
        # Channels last in memory: twice as fast on a CPU, and what a GPU's matrix units take.
        self.to(memory_format=torch.channels_last)

    @property
    def widths(self) -> list[int]:
        """The width of each convolution, from the input on."""
        return [layer.out_channels for layer in self.features if isinstance(layer, nn.Conv2d)]

    def blocks(self, images: Tensor) -> list[Tensor]:
        """Return each convolution's maps after ReLU, each (N, C, H, W), in order."""
        maps = []
        for layer in self.features:
            images = layer(images)
            if isinstance(layer, nn.ReLU):
                maps.append(images)
        return maps

    def penultimate(self, images: Tensor) -> Tensor:
        """Return what the linear layer sees, (N, ``feature_count``), for images (N, 3, H, W)."""
        return F.adaptive_avg_pool2d(self.features(images), 1).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) for standardized images (N, 3, H, W), floating point."""
        return self.classifier(self.penultimate(images))


def _convolutions(layers: Sequence[int | str]) -> nn.Sequential:
    """Build the convolutions and poolings; Kaiming's start, as batch normalization ignores the scale."""
    modules: list[nn.Module] = []
    fan_in = 3
    for layer in layers:
        if layer == "M":
            modules.append(nn.MaxPool2d(2))
            continue
        if not isinstance(layer, int) or layer < 1:
            raise ValueError(f'a layer is a width of at least 1 or "M", not {layer!r}')
        convolution = nn.Conv2d(fan_in, layer, kernel_size=3, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        modules += [convolution, nn.BatchNorm2d(layer), nn.ReLU(inplace=True)]
        fan_in = layer
    return nn.Sequential(*modules)


def load(name: str) -> zoo.VGG:
    """Return one of torchvision's networks with the weights that ImageNet gave it.

    torchvision reads them from ``$TORCH_HOME/hub/checkpoints``; `dlbook.data` brings them there first, where
    they are missing, and verifies what it downloads. The images that they need are those of
    ``VGG16_Weights.IMAGENET1K_V1.transforms()``.

    Args:
        name: ``"vgg16"``.

    Returns:
        The network in evaluation mode, on the CPU, as torchvision builds it.

    Raises:
        DataError: the name is unknown, or the weights are not on this machine and cannot be had.
        RuntimeError: the file holds other shapes; torchvision says which.
    """
    data.fetch_checkpoint(name)
    return zoo.vgg16(weights=zoo.VGG16_Weights.IMAGENET1K_V1, progress=False).eval()
