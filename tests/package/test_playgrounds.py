"""Weights that are rounded for a browser: how far they are off, and what they become again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dlbook.models.mlp import MLP
from dlbook.playgrounds import SCALE, restored, rounded

WEIGHTS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=4, max_side=5),
    elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
)


@settings(deadline=None)
@given(weights=WEIGHTS, bits=st.integers(2, 8))
def test_a_weight_is_off_by_at_most_half_a_step(weights, bits):
    weight = torch.from_numpy(weights)
    sent = rounded({"weight": weight}, bits)
    levels = 2 ** (bits - 1) - 1
    assert sent["weight"].dtype == torch.int8
    assert sent["weight"].abs().max() <= levels
    back = restored(sent)["weight"]
    assert back.dtype == torch.float32
    scale = weight.flatten(1).abs().amax(dim=1) / levels
    off = (back - weight).flatten(1).abs()
    assert (off <= scale[:, None] * (0.5 + 1e-4) + 1e-30).all()


def test_rows_of_zeros_and_the_largest_weights_are_exact():
    weight = torch.tensor([[0.0, 0.0], [3.0, -2.0]])
    torch.testing.assert_close(restored(rounded({"w": weight}, 3))["w"], weight, rtol=0, atol=0)


def test_a_network_s_state_comes_back_under_its_names():
    state = MLP(sizes=(6, 5, 3)).state_dict() | {"steps": torch.tensor(7)}
    sent = rounded(state)
    back = restored(sent)
    assert back.keys() == state.keys()
    assert all(back[name].shape == tensor.shape for name, tensor in state.items())
    assert {name for name in sent if name.endswith(SCALE)} == {
        f"{name}{SCALE}" for name, tensor in state.items() if tensor.ndim >= 2
    }
    assert all(torch.equal(back[name], state[name].float()) for name in state if state[name].ndim < 2)


@pytest.mark.parametrize(
    ("state", "bits", "said"),
    [
        ({"w": torch.ones(2, 2)}, 1, "2 to 8"),
        ({"w": torch.ones(2, 2)}, 9, "2 to 8"),
        ({"w": torch.full((2, 2), float("nan"))}, 6, "not finite"),
        ({"w.scale": torch.ones(2)}, 6, "rename"),
    ],
)
def test_what_cannot_be_rounded_is_refused(state, bits, said):
    with pytest.raises(ValueError, match=said):
        rounded(state, bits)
