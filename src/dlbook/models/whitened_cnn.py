"""A convolutional network made to learn fast: that of airbench94 (Jordan, 2024)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Images whose patches are held at once.
_BATCH = 500


def whitening_stem(images: Tensor, kernel_size: int = 2, epsilon: float = 5e-4) -> nn.Sequential:
    """Return a frozen convolution that whitens the patches of images, with a bias to train, and GELU.

    Its filters are the eigenvectors of the patches' matrix of second moments, each divided by the square root
    of its eigenvalue, and then the same with the sign turned, since GELU cuts most of one side off. So before
    the bias the first half of the outputs are uncorrelated over all patches of the images, with a mean
    square of about 1 each, the directions in which patches vary most first. The idea is Page's (2019, "How to
    train your ResNet"), in the form that airbench94 gave it (Jordan, 2024).

    Args:
        images: (N, C, H, W), floating point, as the network takes them; some thousand are enough.
        kernel_size: K, the side of a patch in pixels.
        epsilon: added to each eigenvalue, so that directions in which the patches hardly vary, noise
            above all, are not blown up.

    Returns:
        A layer from (B, C, H, W) to (B, 2 C K², H - K + 1, W - K + 1).

    Raises:
        ValueError: the images are no batch of floating-point images, or smaller than a patch.
    """
    if images.ndim != 4 or not images.is_floating_point() or min(images.shape[2:]) < kernel_size:
        raise ValueError(
            f"whitening takes floating-point images (N, C, H, W) of at least {kernel_size} pixels a side, "
            f"not {images.dtype} of shape {tuple(images.shape)}"
        )
    sums, count = torch.zeros((), dtype=torch.float64, device=images.device), 0
    for part in images.split(_BATCH):
        patches = F.unfold(part, kernel_size).transpose(1, 2).flatten(0, 1).double()
        sums, count = sums + patches.T @ patches, count + len(patches)
    variances, directions = torch.linalg.eigh(sums / count)  # smallest first
    half = (directions / (variances + epsilon).sqrt()).T.flip(0).to(images.dtype)
    channels = images.shape[1]
    convolution = nn.Conv2d(channels, 2 * len(half), kernel_size)
    convolution.weight = nn.Parameter(
        torch.cat([half, -half]).unflatten(1, (channels, kernel_size, kernel_size)), requires_grad=False
    )
    nn.init.zeros_(convolution.get_parameter("bias"))
    return nn.Sequential(convolution, nn.GELU())


def _block(channels_in: int, channels_out: int, pool: bool) -> nn.Sequential:
    """Return a convolution of 3×3, 2×2 max pooling if wanted, batch normalization and GELU."""
    # No bias: the normalization subtracts it again, and has a shift of its own.
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    pooling = [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(convolution, *pooling, nn.BatchNorm2d(channels_out), nn.GELU())


class WhitenedCNN(nn.Module):
    """A convolutional network whose stem whitens, and whose other parts start near what they will be.

    Each stage has two convolutions of 3×3 filters with batch normalization and GELU, the first with 2×2 max
    pooling behind it. A convolution starts as the identity on the channels that it takes in, as far as it has
    filters for them; its other filters are random as usual. Normalization has shifts to train, but no scales.
    The largest response of each channel of the last stage, wherever it is, goes to a linear layer without
    biases that starts small, so that the stages learn before it does.

    Its parts have names: ``stem``, ``stages`` (one item a stage) and ``head``.

    Args:
        images: to compute the stem from; see `whitening_stem`.
        widths: channels of each stage.
        class_count: number of logits.

    Raises:
        ValueError: there is no stage, a size is below 1, or the images are none to whiten by.
    """

    def __init__(self, images: Tensor, widths: Sequence[int] = (64, 256, 256), class_count: int = 10) -> None:
        super().__init__()
        if not widths or min(*widths, class_count) < 1:
            raise ValueError(f"a WhitenedCNN needs at least one stage, and sizes ≥ 1, not {widths=}")
        self.stem = whitening_stem(images)
        self.stages, width = nn.Sequential(), self.stem.get_parameter("0.weight").shape[0]
        for channels in widths:
            blocks = _block(width, channels, pool=True), _block(channels, channels, pool=False)
            self.stages.append(nn.Sequential(*blocks))
            width = channels
        for layer in self.stages.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.dirac_(layer.weight[: layer.in_channels])
            elif isinstance(layer, nn.BatchNorm2d):
                layer.weight.requires_grad_(False)
        linear = nn.Linear(width, class_count, bias=False)
        nn.init.normal_(linear.weight, std=1 / width)
        self.head = nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), linear)
        # Channels last in memory: several times as fast on a CPU, and what a GPU's matrix units take.
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, ``class_count``) for images (N, C, H, W), floating point."""
        return self.head(self.stages(self.stem(images)))
