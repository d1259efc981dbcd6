"""Batches cut from tensors that already lie on the device.

Images stay uint8 until a batch of them is needed. The usual path, one PIL image at a time through a
DataLoader, does the same work once for every image of every epoch in Python.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torchvision.transforms import v2

from dlbook.data.dataset import Split

Transform = Callable[[Tensor], Tensor]


def standardize(split: Split) -> Transform:
    """Return the transform that gives this split's images mean 0 and standard deviation 1 per channel.

    Fit it on training images only; what validation and test images look like must not be known.

    Args:
        split: the images whose statistics to use.

    Returns:
        A function from images (N, C, H, W) uint8 to float32 of the same shape.
    """
    pixels = split.images.float().div_(255)  # in place: a second copy would take 0.6 GB for CIFAR-10
    mean, std = pixels.mean(dim=(0, 2, 3)), pixels.std(dim=(0, 2, 3))
    return v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean.tolist(), std.tolist())])


def batches(
    split: Split, batch_size: int, transform: Transform, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the split once, in batches.

    Args:
        split: labeled images, on the device where the batches are wanted.
        batch_size: images in a batch, at least 1; the last batch may hold fewer.
        transform: from images (B, C, H, W) uint8 to what the model takes.
        generator: shuffles the images when given (a CPU generator); without it they keep their order.

    Yields:
        Transformed images, and labels (B,) int64.

    Raises:
        ValueError: the batch size is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"a batch holds at least 1 image, not {batch_size}")
    count = len(split)
    order = torch.arange(count) if generator is None else torch.randperm(count, generator=generator)
    for indices in order.to(split.images.device).split(batch_size):
        images = split.images.index_select(0, indices)  # four times as fast as indexing, on a CPU
        yield transform(images), split.labels.index_select(0, indices)
