"""Muon for the filters of a network and AdamW for everything else, as one optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Muon


class MuonAdamW(AdamW):
    """Step filters by Muon (Jordan et al., 2024), and all other parameters by AdamW without weight decay.

    Muon averages the gradients of a weight matrix over the steps, as momentum does, and then sets all
    singular values of that average to about 1: it goes equally far in every direction that the gradients
    name, however faintly. A bank of filters (O, C, K, K) is a matrix here, with a row of C K² weights for
    each filter. The step is scaled to the root mean square that AdamW's has, so that both share one learning
    rate (Liu et al., *Muon is scalable for LLM training*, 2025).

    Args:
        parameters: to train; those with four dimensions are filters.
        lr: learning rate of both; a schedule changes it through ``param_groups``.
        weight_decay: of the filters.
        momentum: Muon's, below 1.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.9
    ) -> None:
        parameters = list(parameters)
        self.filters = [parameter for parameter in parameters if parameter.ndim == 4]
        if not self.filters:
            raise ValueError("Muon is for filters, parameters with four dimensions: this model has none")
        # Copies, as the filters' own memory need not be laid out row by row.
        self.matrices = [nn.Parameter(each.detach().flatten(1).clone()) for each in self.filters]
        self.muon = Muon(
            self.matrices, lr, weight_decay, momentum, nesterov=True, adjust_lr_fn="match_rms_adamw"
        )
        super().__init__(parameters, lr=lr, weight_decay=0.0, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient.

        Raises:
            ValueError: a closure is given; neither optimizer needs one here.
        """
        if closure is not None:
            raise ValueError("MuonAdamW takes no closure: compute the gradients before the step")
        for group in self.muon.param_groups:
            group["lr"] = self.param_groups[0]["lr"]
        for each, matrix in zip(self.filters, self.matrices, strict=True):
            matrix.copy_(each.flatten(1))
            matrix.grad = None if each.grad is None else each.grad.flatten(1)
        self.muon.step()
        for each, matrix in zip(self.filters, self.matrices, strict=True):
            each.copy_(matrix.view_as(each))
            each.grad = None  # AdamW leaves out what has no gradient
        super().step()
