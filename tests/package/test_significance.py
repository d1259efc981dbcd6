"""Paired tests: against all patterns of signs, one by one, and Holm's own procedure."""

import itertools

import pytest
import torch

from dlbook.significance import holm, sign_flip_p_value


@pytest.mark.parametrize("shift", [0.0, 0.4, 1.5])
def test_the_p_value_is_the_share_of_all_patterns(shift):
    generator = torch.Generator().manual_seed(1)
    differences = (torch.randn(9, generator=generator) + shift).double().tolist()
    sums = [
        abs(sum(sign * difference for sign, difference in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=9)
    ]
    extreme = sum(each >= abs(sum(differences)) - 1e-12 for each in sums)
    assert sign_flip_p_value(differences) == extreme / 2**9


def test_the_smallest_p_value_is_two_patterns_of_all():
    assert sign_flip_p_value([1.0, 2.0, 0.5, 3.0]) == 2 / 16


def test_no_difference_is_no_evidence():
    assert sign_flip_p_value([0.0] * 12) == 1


def test_ties_count_as_extreme():
    # ±0.1 ± 0.2 ± 0.3: the sums 0.6, 0, 0 and so on; rounding must not break the ties at 0.
    assert sign_flip_p_value([0.1, 0.2, -0.3]) == 1


@pytest.mark.parametrize("count", [1, 17])
def test_too_few_or_too_many_pairs_are_refused(count):
    with pytest.raises(ValueError, match="pairs"):
        sign_flip_p_value([1.0] * count)


def test_holm_by_hand():
    # Sorted: .01 × 4, .02 × 3, .03 × 2 (raised to the .06 before it), .5 × 1.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])


def test_holm_rejects_what_the_step_down_procedure_rejects():
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        p_values = (torch.rand(8, generator=generator) ** 4).tolist()
        rejected = 0
        while rejected < 8 and sorted(p_values)[rejected] <= 0.05 / (8 - rejected):
            rejected += 1
        assert sum(p <= 0.05 for p in holm(p_values)) == rejected


def test_holm_stays_below_one():
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_impossible_p_values_are_refused():
    with pytest.raises(ValueError, match="p-values"):
        holm([0.5, 1.2])
