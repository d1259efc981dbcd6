"""Weights for a playground: small enough to be sent to a browser, and what the browser makes of them."""

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"


def rounded(state: Mapping[str, Tensor], bits: int = 6) -> dict[str, Tensor]:
    """Round matrices and filters to whole multiples of a scale, one for each row.

    Args:
        state: a network's state, as `torch.nn.Module.state_dict` gives it.
        bits: for each weight, 2 to 8. Fewer bits pack into fewer bytes.

    Returns:
        The same names. A floating-point tensor of two axes or more is int8, from ``-(2**(bits - 1) - 1)``
        to the opposite, and has ``name.scale``, (rows,) float32, beside it: the weight is ``int8 * scale``,
        and off by at most half a scale. Every other tensor is float32 as it was.

    Raises:
        ValueError: bits out of range, a weight that is not finite, or a name that ends in ``.scale``.
    """
    if not 2 <= bits <= 8:
        raise ValueError(f"a weight can have 2 to 8 bits, not {bits}")
    levels = 2 ** (bits - 1) - 1
    sent: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(SCALE):
            raise ValueError(f"{name!r} ends as the scales do that are sent beside the weights: rename it")
        weight = tensor.detach().cpu().float()
        if not weight.isfinite().all():
            raise ValueError(f"{name!r} has weights that are not finite, and cannot be rounded")
        if weight.ndim < 2 or not tensor.is_floating_point() or not weight.numel():
            sent[name] = weight
            continue
        rows = weight.flatten(1)
        scale = rows.abs().amax(dim=1) / levels
        steps = rows / torch.where(scale > 0, scale, 1)[:, None]  # a row of zeros stays one
        sent[name] = steps.round().clamp(-levels, levels).to(torch.int8).view_as(weight)
        sent[name + SCALE] = scale
    return sent


def restored(sent: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the float32 weights that a browser computes with, from what `rounded` returned."""
    state = {}
    for name, tensor in sent.items():
        if name.endswith(SCALE):
            continue
        weight, scale = tensor.float(), sent.get(name + SCALE)
        state[name] = weight if scale is None else weight * scale.view(-1, *[1] * (weight.ndim - 1))
    return state
