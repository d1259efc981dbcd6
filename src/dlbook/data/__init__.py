"""Data sets as tensors: found, checked, split and served in batches."""

from dlbook.data.augment import crop_and_flip
from dlbook.data.batches import batches, standardize
from dlbook.data.dataset import DataError, Dataset, Source, Split, random_split
from dlbook.data.loading import available, fetch, load
from dlbook.data.registry import data_directory
from dlbook.data.weights import load_weights

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
    "load",
    "load_weights",
    "random_split",
    "standardize",
]
