"""CIFAR-10's archive: pickles of Python 2, of which nothing but arrays, lists and bytes is let in."""

import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlbook.data import archives
from dlbook.data.source import DataError

if TYPE_CHECKING:
    from dlbook.data.dataset import Arrays

_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = ("test_batch",)
# The only functions that a pickled array needs; their module is called otherwise since NumPy 2.
_ARRAY_PARTS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Reads arrays and plain containers, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ARRAY_PARTS[module, name]
        except KeyError:
            raise DataError(f"a batch of CIFAR-10 holds no {module}.{name}: it is not read") from None


def read(archive: Path, limit: int) -> tuple["Arrays", "Arrays"]:
    """Read the archive, whose checksum must have been verified.

    Args:
        archive: the file.
        limit: the most bytes that it may unpack to.

    Returns:
        The training split, images (50000, 3, 32, 32) uint8 and labels (50000,) int64, and the test split,
        (10000, 3, 32, 32) and (10000,).

    Raises:
        DataError: the archive is not what it should be.
    """
    batches = {}
    for path, content in archives.read_tar(archive, limit):
        name = Path(path).name
        if name in _TRAIN + _TEST:
            batches[name] = parse_batch(content)
    if missing := set(_TRAIN + _TEST) - batches.keys():
        raise DataError(f"{archive} lacks {', '.join(sorted(missing))}")
    train, test = ([batches[name] for name in names] for names in (_TRAIN, _TEST))
    return _join(train), _join(test)


def parse_batch(content: bytes) -> tuple[np.ndarray, list[int]]:
    """Return a batch's pixels (N, 3072) uint8, channel by channel, and its N labels.

    Raises:
        DataError: the pickle needs more than arrays and containers, or holds something else.
    """
    try:
        batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
        pixels, labels = batch[b"data"], batch[b"labels"]
    except DataError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DataError(f"a batch of CIFAR-10 cannot be read: {error!r}") from error
    fits = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape == (len(labels), 3072)
    if not fits:
        raise DataError("a batch of CIFAR-10 has (N, 3072) pixels of one byte each and N labels, not these")
    return pixels, labels


def _join(batches: list[tuple[np.ndarray, list[int]]]) -> "Arrays":
    pixels = np.concatenate([pixels for pixels, _ in batches]).reshape(-1, 3, 32, 32)
    return pixels, np.array([label for _, labels in batches for label in labels], np.int64)
