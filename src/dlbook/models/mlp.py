"""The multi-layer perceptron."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn


class MLP(nn.Module):
    """A multi-layer perceptron: linear layers with ReLU and dropout between them.

    Args:
        sizes: width of the input, of each hidden layer, and of the output, such as
            ``(784, 512, 512, 10)``.
        dropout: probability with which training sets a hidden activation to zero (0 to 1, 1 excluded).

    Raises:
        ValueError: fewer than two sizes, a size below 1, or a dropout outside its range.
    """

    def __init__(self, sizes: Sequence[int] = (784, 512, 512, 10), dropout: float = 0.2) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"an MLP needs at least an input and an output size, each ≥ 1, not {sizes}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is a probability from 0 to below 1, not {dropout}")
        layers: list[nn.Module] = [nn.Flatten()]
        for fan_in, fan_out in itertools.pairwise(sizes[:-1]):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, ``sizes[-1]``) for images (N, …) of ``sizes[0]`` floats each."""
        return self.layers(images)
