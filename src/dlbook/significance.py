"""Which differences between paired runs are more than chance."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

# All 2**16 sign patterns of 16 numbers take about a second.
_MOST_PAIRS = 16


def sign_flip_p_value(differences: Sequence[float]) -> float:
    """Return how often paired differences at least as large on average arise when only chance decides.

    The exact two-sided permutation test for pairs (Fisher, 1935, section 21). If the two members of every
    pair are interchangeable, each difference could as well have had the other sign: all 2ⁿ patterns of
    signs are equally likely. It assumes no distribution.

    Args:
        differences: one for each pair, 2 to 16 of them.

    Returns:
        The share of sign patterns whose mean is at least as far from 0 as the observed one: 2 / 2ⁿ at the
        least, and 1 where all differences are 0.

    Raises:
        ValueError: there are fewer than 2 pairs, or more than 16.
    """
    if not 2 <= len(differences) <= _MOST_PAIRS:
        raise ValueError(f"the exact test takes 2 to {_MOST_PAIRS} pairs, not {len(differences)}")
    values = np.asarray(differences, dtype=np.float64)
    test = stats.permutation_test((values,), np.sum, permutation_type="samples", n_resamples=np.inf)
    # Sums that are equal in exact arithmetic may differ by rounding, by more than SciPy allows for.
    tolerance = 1e-9 * np.abs(values).sum()
    return float((np.abs(test.null_distribution) >= abs(test.statistic) - tolerance).mean())


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
    values = np.asarray(p_values, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values lie in 0 to 1: {list(p_values)}")
    order = values.argsort()
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(steps).clip(max=1)
    return adjusted.tolist()
