"""Muon for the filters of a network and SGD for everything else, as one optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Muon


class MuonSGD(SGD):
    """Step filters by Muon (Jordan et al., 2024), and all other parameters by SGD with Nesterov's momentum.

    Muon averages the gradients of a weight matrix over the steps, as momentum does, and then brings the
    singular values of that average near 1: it goes about equally far in every direction that the gradients
    name, unless very faintly. (Three iterations bring those above 3% of the average's norm to 0.7 to 1.2, and
    smaller ones to about 40 times what they were.) A bank of filters (O, C, K, K) is a matrix here, with a
    row of C K² weights for each filter.

    Before each step a bank is scaled to the Frobenius norm √O. Where C K² ≥ O, the step has about this norm
    too, times the learning rate: so the rate says by which share of their length filters move. The scaling is
    for filters whose scale a normalization takes out again, and it stands in for weight decay.

    All of this comes from airbench94 (Jordan, 2024), the numbers too. It sums the loss of a batch of 2,000
    and divides the logits by 256; here the rates are converted to the mean loss and to logits as they are.
    Biases take rates thousands of times those of matrices. That suits the shifts in front of an activation,
    but neither biases of the last layer nor the scales of a normalization: train none of these.

    Args:
        parameters: to train; those with four dimensions are filters, those with one are biases.
        lr: Muon's learning rate; a schedule changes it through ``param_groups``, and the others with it.
        matrix_rate: learning rate of matrices as a multiple of Muon's.
        bias_rate: that of biases.
        decay: share by which matrices and biases shrink in a step at the full rate, before momentum.
        filter_momentum: Muon's, below 1.
        momentum: of everything else, below 1.
        iterations: of the polynomial by which Muon sets the singular values.

    Raises:
        ValueError: no parameter has four dimensions.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        matrix_rate: float = 0.085,
        bias_rate: float = 440.0,
        decay: float = 0.004,
        filter_momentum: float = 0.6,
        momentum: float = 0.85,
        iterations: int = 3,
    ) -> None:
        parameters = list(parameters)
        filters = [parameter for parameter in parameters if parameter.ndim == 4]
        if not filters:
            raise ValueError("Muon is for filters, parameters with four dimensions: this model has none")
        groups: list[dict[str, Any]] = [
            {"params": filters, "filter_momentum": filter_momentum, "iterations": iterations}
        ]
        biases = [parameter for parameter in parameters if parameter.ndim == 1]
        others = [parameter for parameter in parameters if parameter.ndim not in (1, 4)]
        for members, multiple in ((others, matrix_rate), (biases, bias_rate)):
            if members:
                groups.append(
                    {"params": members, "lr": multiple * lr, "weight_decay": decay / (multiple * lr)}
                )
        super().__init__(groups, lr=lr, momentum=momentum, nesterov=True, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step for every parameter that has a gradient; return what the closure does, if given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        filters, *others = self.param_groups
        self._step_filters(filters)
        self.param_groups = others  # what SGD is for
        try:
            super().step()
        finally:
            self.param_groups = [filters, *others]
        return loss

    def _step_filters(self, group: dict[str, Any]) -> None:
        """Step the filters as matrices, by an optimizer whose state is kept as the filters' own.

        The matrices are copies, as the filters' own memory need not be laid out row by row.
        """
        moving = [each for each in group["params"] if each.grad is not None]
        if not moving:
            return
        matrices = [nn.Parameter(_scaled_rows(each)) for each in moving]
        muon = Muon(
            matrices,
            group["lr"],
            weight_decay=0.0,
            momentum=group["filter_momentum"],
            nesterov=True,
            ns_steps=group["iterations"],
        )
        for each, matrix in zip(moving, matrices, strict=True):
            matrix.grad = each.grad.flatten(1)
            muon.state[matrix] = self.state[each]
        muon.step()
        for each, matrix in zip(moving, matrices, strict=True):
            each.copy_(matrix.view_as(each))


def _scaled_rows(bank: Tensor) -> Tensor:
    """Return the filters of a bank as rows of a matrix, scaled to the norm that it has before a step."""
    return bank.flatten(1) * (len(bank) ** 0.5 / bank.norm().clamp(min=1e-12))
