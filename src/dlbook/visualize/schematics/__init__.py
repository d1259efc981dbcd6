"""Schematic drawings in one style: each function takes sizes, labels or numbers, and returns the figure."""

from dlbook.visualize.schematics.grids import normalization_axes, pooling_window, sliding_filter
from dlbook.visualize.schematics.networks import Block, autoencoder, layers, network

__all__ = [
    "Block",
    "autoencoder",
    "layers",
    "network",
    "normalization_axes",
    "pooling_window",
    "sliding_filter",
]
