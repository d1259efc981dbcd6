"""Trained weights from the web: fetched, verified, and read without running anything they hold."""

from collections.abc import Mapping
from pickle import UnpicklingError

import torch
from torch import Tensor

from dlbook.data import fetching
from dlbook.data.dataset import DataError
from dlbook.data.files import locked
from dlbook.data.mnist import require_checksum
from dlbook.data.registry import REGISTRY, home, is_present


def load_weights(name: str) -> Mapping[str, Tensor]:
    """Load trained weights, fetching them on first use.

    They lie where torchvision keeps its own (``TORCH_HOME``); its copy is used where it is there.

    Args:
        name: ``"vgg16"``: 138,357,544 numbers that torchvision's VGG16 learned on ImageNet.

    Returns:
        Tensors float32 on the CPU, under the names that torchvision's model gives them.

    Raises:
        DataError: the name is unknown, the file is damaged, or it cannot be had. There is no stand-in.
    """
    fetch_weights(name)
    ((file, sha256),) = REGISTRY[name].files.items()
    require_checksum(home(name) / file, sha256)
    try:
        return torch.load(home(name) / file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise DataError(f"{home(name) / file} holds more than tensors, and is not read") from error


def fetch_weights(name: str) -> None:
    """Bring weights to this machine, where they are not there yet; errors are as for `load_weights`."""
    known = [name for name, entry in REGISTRY.items() if not entry.shape]
    if name not in known:
        raise DataError(f"unknown weights {name!r}: the book has {', '.join(known)}")
    entry, folder = REGISTRY[name], home(name)
    try:
        with locked(name, folder):
            if not is_present(name):
                fetching.fetch(entry.archives, entry.sources, folder)
    except fetching.NoSource as unreachable:
        raise DataError(
            f"{entry.title} is not in {folder}, and no source delivered it ({unreachable})"
        ) from unreachable
    except OSError as error:
        raise DataError(f"{folder} cannot take {name}: {error}; free it, or set TORCH_HOME") from error
