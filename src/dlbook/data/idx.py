"""The idx format of MNIST and its kin: http://yann.lecun.com/exdb/mnist/ describes it."""

import math
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlbook.data.source import DataError

if TYPE_CHECKING:
    from dlbook.data.dataset import Arrays

_UNSIGNED_BYTES = 8


def parse(content: bytes) -> np.ndarray:
    """Return the numbers of an idx file of bytes.

    Args:
        content: two zero bytes, the code for unsigned bytes, the number of axes, each axis's length (int32,
            big-endian), and the bytes.

    Returns:
        An array uint8 of the axes' lengths, with a memory of its own.

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
    if len(content) == start:
        raise DataError(f"the idx file says {shape}, and holds nothing")
    return np.frombuffer(bytearray(content[start:]), dtype=np.uint8).reshape(shape)


def read(contents: Sequence[bytes]) -> tuple["Arrays", "Arrays"]:
    """Return the training and the test split of four idx files.

    Args:
        contents: images and labels for training, images and labels for the test.

    Returns:
        For each, images (N, 1, H, W) uint8 and labels (N,) int64.

    Raises:
        DataError: the contents are not that.
    """
    train_images, train_labels, test_images, test_labels = map(parse, contents)
    return (
        (train_images[:, np.newaxis], train_labels.astype(np.int64)),
        (test_images[:, np.newaxis], test_labels.astype(np.int64)),
    )
