"""Which differences between paired runs are more than chance."""

from collections.abc import Sequence

import torch

# 2**20 sign patterns of 20 numbers take a moment and 160 MB.
_MOST_PAIRS = 20


def sign_flip_p_value(differences: Sequence[float]) -> float:
    """Return how often paired differences at least as large on average arise when only chance decides.

    The exact two-sided permutation test for pairs (Fisher, 1935, section 21). If the two members of every
    pair are interchangeable, each difference could as well have had the other sign: all 2ⁿ patterns of
    signs are equally likely. It assumes no distribution.

    Args:
        differences: one for each pair, 1 to 20 of them.

    Returns:
        The share of sign patterns whose mean is at least as far from 0 as the observed one: 2 / 2ⁿ at the
        least, and 1 where all differences are 0.

    Raises:
        ValueError: there is no pair, or more than 20.
    """
    if not 1 <= len(differences) <= _MOST_PAIRS:
        raise ValueError(f"the exact test takes 1 to {_MOST_PAIRS} pairs, not {len(differences)}")
    values = torch.tensor(differences, dtype=torch.float64)
    patterns = torch.arange(2 ** len(values)).unsqueeze(1) >> torch.arange(len(values)) & 1
    sums = ((2 * patterns - 1) * values).sum(dim=1).abs()
    # Sums that are equal in exact arithmetic may differ by rounding.
    tolerance = 1e-9 * values.abs().sum()
    return (sums >= values.sum().abs() - tolerance).double().mean().item()


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being the many (Holm, 1979).

    Calling every comparison significant whose adjusted value is at most 5% errs in *any* of them with a
    probability of at most 5%, however they depend on each other.

    Args:
        p_values: one for each comparison, 0 to 1.

    Returns:
        The adjusted values, in the same order: the smallest times m, the next times m - 1, and so on, none
        smaller than one before it and none above 1.

    Raises:
        ValueError: a value lies outside 0 to 1.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values lie in 0 to 1: {list(p_values)}")
    adjusted, largest = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
