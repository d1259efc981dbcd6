"""The networks of the book, one kind a module, each described by a few numbers."""

import copy

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.flop_counter import FlopCounterMode


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def training_flops(model: nn.Module, images: Tensor) -> float:
    """Return the floating-point operations per image of a forward and a backward pass.

    The usual convention: a multiplication and the addition of its product are two operations, and only
    convolutions and matrix products count. Normalization, activations, the optimizer's step and the
    augmentation do not.

    Args:
        model: it is copied, so that batch statistics stay as they are.
        images: a batch as the model takes it, on the model's device; two images are enough.
    """
    model = copy.deepcopy(model).train()
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    return counter.get_total_flops() / len(images)


def step_flops(optimizer: Optimizer) -> float:
    """Return the floating-point operations of the products in one step of an optimizer; AdamW has none.

    Args:
        optimizer: its parameters move by one step, along gradients of 1.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    with FlopCounterMode(display=False) as counter:
        optimizer.step()
    return counter.get_total_flops()


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all weights and buffers, which later training does not change."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def device_of(model: nn.Module) -> torch.device:
    """Return the device that the model's parameters lie on."""
    return next(model.parameters()).device
