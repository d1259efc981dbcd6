"""Data sets as tensors: found, checked, split and served in batches.

What is named here is imported when it is first used. So the site's build, which asks only what there is and
where it comes from, does not wait for PyTorch.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlbook.data.augment import crop_and_flip
    from dlbook.data.batching import batches, standardize
    from dlbook.data.dataset import Dataset, Split, random_split
    from dlbook.data.entries import data_directory
    from dlbook.data.loading import available, fetch, fetch_checkpoint, load
    from dlbook.data.source import DataError, Source, loaded
else:
    from importlib import import_module

    _MODULES = {
        "augment": ("crop_and_flip",),
        "batching": ("batches", "standardize"),
        "dataset": ("Dataset", "Split", "random_split"),
        "entries": ("data_directory",),
        "loading": ("available", "fetch", "fetch_checkpoint", "load"),
        "source": ("DataError", "Source", "loaded"),
    }

    def __getattr__(name: str) -> object:
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DataError",
    "Dataset",
    "Source",
    "Split",
    "available",
    "batches",
    "crop_and_flip",
    "data_directory",
    "fetch",
    "fetch_checkpoint",
    "load",
    "loaded",
    "random_split",
    "standardize",
]
