"""How a network's weights are drawn, and what each way does to the size of the numbers in a ReLU network.

Every scheme draws the weights of a layer independently from one distribution, so its mean and variance
say how a layer changes the mean square of what passes through it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Scheme:
    """One way to draw the weights of a linear or convolutional layer.

    Attributes:
        title: its name in figures and tables.
        fill: overwrites a weight tensor (fan_out, …) in place.
        variance: from fan-in and fan-out to the variance of one weight.
        mean: of one weight; where it is not 0, no weight may be negative.
        random_biases: biases uniform in ±1/√fan-in, as PyTorch draws them, in place of 0.
        source: who proposed it, or where it is met.
    """

    title: str
    fill: Callable[[Tensor], object]
    variance: Callable[[float, float], float]
    mean: float = 0.0
    random_biases: bool = False
    source: str = ""


def fans(weight: Tensor) -> tuple[int, int]:
    """Return how many inputs each output sums over, and how many outputs each input reaches.

    Args:
        weight: (outputs, inputs) of a linear layer, or (outputs, inputs, height, width) of a convolution.

    Returns:
        Fan-in and fan-out. For a convolution of stride 1, away from the border.
    """
    if weight.ndim < 2:
        raise ValueError(
            f"a weight has at least two axes, outputs and inputs, not shape {tuple(weight.shape)}"
        )
    positions = weight[0, 0].numel()
    return weight.shape[1] * positions, weight.shape[0] * positions


def _bound(weight: Tensor) -> float:
    return 1 / math.sqrt(fans(weight)[0])


def _fan_in_uniform(weight: Tensor) -> Tensor:
    return nn.init.uniform_(weight, -_bound(weight), _bound(weight))


SCHEMES: Mapping[str, Scheme] = {
    "zeros": Scheme("zeros", nn.init.zeros_, lambda fan_in, fan_out: 0.0),
    "ones": Scheme("ones", nn.init.ones_, lambda fan_in, fan_out: 0.0, mean=1.0),
    "uniform_0_1": Scheme(
        "uniform(0, 1)",
        lambda weight: nn.init.uniform_(weight, 0, 1),
        lambda fan_in, fan_out: 1 / 12,
        mean=0.5,
    ),
    "uniform_half": Scheme(
        "uniform(±0.5)",
        lambda weight: nn.init.uniform_(weight, -0.5, 0.5),
        lambda fan_in, fan_out: 1 / 12,
    ),
    "uniform_fan_in": Scheme(
        "uniform(±1/√n)",
        _fan_in_uniform,
        lambda fan_in, fan_out: 1 / (3 * fan_in),
        source="the heuristic of Glorot & Bengio (2010), equation 1",
    ),
    "normal_fan_in": Scheme(
        "normal(1/√n)",
        lambda weight: nn.init.normal_(weight, 0, _bound(weight)),
        lambda fan_in, fan_out: 1 / fan_in,
        source="LeCun et al. (1998), equation 16",
    ),
    "xavier": Scheme(
        "Xavier",
        nn.init.xavier_uniform_,
        lambda fan_in, fan_out: 2 / (fan_in + fan_out),
        source="Glorot & Bengio (2010), equation 16",
    ),
    "kaiming": Scheme(
        "Kaiming",
        lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
        lambda fan_in, fan_out: 2 / fan_in,
        source="He et al. (2015), equation 10",
    ),
    "pytorch_default": Scheme(
        "PyTorch default",
        lambda weight: nn.init.kaiming_uniform_(weight, a=math.sqrt(5)),
        lambda fan_in, fan_out: 1 / (3 * fan_in),
        random_biases=True,
        source="torch.nn.Linear.reset_parameters",
    ),
}


@torch.no_grad()
def initialize(model: nn.Module, scheme: Scheme) -> nn.Module:
    """Draw the weights and biases of every linear and convolutional layer anew, in place.

    Other layers, such as batch norm, keep what they have. The draws come from PyTorch's global
    generator, in the order of ``model.modules()``.

    Returns:
        The model.
    """
    for layer in model.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        scheme.fill(layer.weight)
        if layer.bias is None:
            continue
        if scheme.random_biases:
            nn.init.uniform_(layer.bias, -_bound(layer.weight), _bound(layer.weight))
        else:
            nn.init.zeros_(layer.bias)
    return model


def gain_per_layer(scheme: Scheme, width: int) -> float:
    """Return by what factor one square layer behind a ReLU multiplies the mean square, biases left out.

    The layer maps pre-activations z to W max(0, z), and a gradient g back to Wᵀ g where z > 0. The
    factor is the same both ways, as fan-in and fan-out are equal.

    For weights of mean 0 and a symmetric distribution it is ``width * variance / 2``: the ReLU passes half
    of the mean square (He et al., 2015, section 2.2). Forward, this is the exact expected value at any
    width; backward, it takes the weights to be independent of which units are open.

    For weights that are never negative, every unit is open from the second layer on. With m the mean
    and v the variance of a weight, each layer maps the expected values (mean of the squares, square of the
    mean) linearly, with the matrix ``[[n v, n² m²], [v, n² m²]]``. The factor is its larger eigenvalue,
    which is reached after a few layers.

    Args:
        scheme: how the weights are drawn.
        width: n, inputs and outputs of the layer.

    Raises:
        ValueError: the width is below 1.
    """
    if width < 1:
        raise ValueError(f"a layer has at least one unit, not {width}")
    variance = scheme.variance(width, width)
    if scheme.mean == 0:
        return width * variance / 2
    by_mean = (width * scheme.mean) ** 2
    trace = width * variance + by_mean
    determinant = variance * by_mean * (width - 1)
    return (trace + math.sqrt(trace**2 - 4 * determinant)) / 2
