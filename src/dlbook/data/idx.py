"""The idx format of MNIST and its kin: http://yann.lecun.com/exdb/mnist/ describes it."""

import math
import struct
from collections.abc import Sequence

import torch
from torch import Tensor

from dlbook.data.dataset import Split
from dlbook.data.source import DataError

_UNSIGNED_BYTES = 8


def parse(content: bytes) -> Tensor:
    """Return the numbers of an idx file of bytes.

    Args:
        content: two zero bytes, the code for unsigned bytes, the number of axes, each axis's length (int32,
            big-endian), and the bytes.

    Returns:
        A tensor uint8 of the axes' lengths, with a memory of its own.

    Raises:
        DataError: the content is not that.
    """
    if len(content) < 4 or content[:3] != bytes((0, 0, _UNSIGNED_BYTES)):
        raise DataError(f"an idx file of bytes starts with 00 00 08, not {content[:3].hex(' ')}")
    axes = content[3]
    start = 4 + 4 * axes
    if len(content) < start or axes == 0:
        raise DataError(f"the idx file ends before the lengths of its {axes} axes")
    shape = struct.unpack(f">{axes}I", content[4:start])
    if math.prod(shape) != len(content) - start:
        raise DataError(f"the idx file says {shape}, but {len(content) - start:,} bytes follow")
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).reshape(shape)


def splits(contents: Sequence[bytes], classes: tuple[str, ...]) -> tuple[Split, Split]:
    """Return the training and the test split of four idx files.

    Args:
        contents: images and labels for training, images and labels for the test.
        classes: the name of each label.

    Returns:
        Images (N, 1, H, W) uint8, and their labels.

    Raises:
        DataError: the contents are not that.
    """
    train_images, train_labels, test_images, test_labels = map(parse, contents)
    return (
        Split(train_images.unsqueeze(1), train_labels.long(), classes),
        Split(test_images.unsqueeze(1), test_labels.long(), classes),
    )
