"""Muon for the filters of a network and SGD for everything else, as one optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
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
        parameters: Iterable[nn.Parameter],
        lr: float,
        matrix_rate: float = 0.085,
        bias_rate: float = 440.0,
        decay: float = 0.004,
        filter_momentum: float = 0.6,
        momentum: float = 0.85,
        iterations: int = 3,
    ) -> None:
        parameters = list(parameters)
        self.filters = [parameter for parameter in parameters if parameter.ndim == 4]
        if not self.filters:
            raise ValueError("Muon is for filters, parameters with four dimensions: this model has none")
        # Copies, as the filters' own memory need not be laid out row by row.
        self.matrices = [nn.Parameter(each.detach().flatten(1).clone()) for each in self.filters]
        self.muon = Muon(
            self.matrices, weight_decay=0.0, momentum=filter_momentum, nesterov=True, ns_steps=iterations
        )
        groups: list[dict[str, Any]] = [{"params": self.filters}]
        biases = [parameter for parameter in parameters if parameter.ndim == 1]
        others = [parameter for parameter in parameters if parameter.ndim not in (1, 4)]
        for members, multiple in ((others, matrix_rate), (biases, bias_rate)):
            if members:
                groups.append(
                    {"params": members, "lr": multiple * lr, "weight_decay": decay / (multiple * lr)}
                )
        super().__init__(groups, lr=lr, momentum=momentum, nesterov=True, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take one step for every parameter that has a gradient.

        Raises:
            ValueError: a closure is given; neither optimizer needs one here.
        """
        if closure is not None:
            raise ValueError("MuonSGD takes no closure: compute the gradients before the step")
        for group in self.muon.param_groups:
            group["lr"] = self.param_groups[0]["lr"]
        for each, matrix in zip(self.filters, self.matrices, strict=True):
            if each.grad is not None:
                matrix.copy_(each.flatten(1) * (len(each) ** 0.5 / each.norm().clamp(min=1e-12)))
                matrix.grad = each.grad.flatten(1)
        self.muon.step()
        for each, matrix in zip(self.filters, self.matrices, strict=True):
            if each.grad is not None:
                each.copy_(matrix.view_as(each))
                each.grad = matrix.grad = None  # SGD leaves out what has no gradient, and so does Muon
        super().step()
