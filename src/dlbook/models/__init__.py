"""The networks of the book, one kind a module, each described by a few numbers."""

import torch
from torch import Tensor, nn


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all weights and buffers, which later training does not change."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def device_of(model: nn.Module) -> torch.device:
    """Return the device that the model's parameters lie on."""
    return next(model.parameters()).device
