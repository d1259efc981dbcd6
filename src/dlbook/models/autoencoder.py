"""Autoencoders: networks that squeeze an image through a few numbers and put it together again."""

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
}


class Autoencoder(nn.Module):
    """An encoder of linear layers, and a decoder with the same widths in reverse.

    With a width for the input and one for the code, and every activation the identity, it is linear.

    Args:
        widths: of the input, of each hidden layer, and of the code, such as ``(784, 512, 256, 32)``.
        activation: between the layers, of encoder and decoder.
        code_activation: at the code.
        output_activation: at the output; ``"sigmoid"`` keeps pixels between 0 and 1.
        batch_norm: normalize each hidden layer before its activation (Ioffe & Szegedy, 2015).

    All three activations are one of ``identity``, ``relu``, ``gelu``, ``silu`` and ``sigmoid``.

    Attributes:
        encoder: from flat images (N, ``widths[0]``) to codes (N, ``widths[-1]``).
        decoder: the way back.

    Raises:
        ValueError: fewer than two widths, a width below 1, or an unknown activation.
    """

    def __init__(
        self,
        widths: Sequence[int] = (784, 32),
        activation: str = "relu",
        code_activation: str = "identity",
        output_activation: str = "identity",
        batch_norm: bool = False,
    ) -> None:
        super().__init__()
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(f"an autoencoder needs the widths of input and code, each ≥ 1, not {widths}")
        self.input_size, self.code_size = widths[0], widths[-1]
        self.encoder = _layers(widths, activation, code_activation, batch_norm)
        self.decoder = _layers(widths[::-1], activation, output_activation, batch_norm)

    def encode(self, images: Tensor) -> Tensor:
        """Return codes (N, ``code_size``) for images (N, …) of ``input_size`` floats each."""
        return self.encoder(images.flatten(1))

    def decode(self, codes: Tensor) -> Tensor:
        """Return flat images (N, ``input_size``) for codes (N, ``code_size``)."""
        return self.decoder(codes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the reconstructed images, in the shape of the images."""
        return self.decode(self.encode(images)).view_as(images)


def _layers(widths: Sequence[int], activation: str, last: str, batch_norm: bool) -> nn.Sequential:
    """Return linear layers with an activation between them, and another one behind the last."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths[:-1]):
        # A bias before batch norm would be subtracted again with the mean.
        layers.append(nn.Linear(fan_in, fan_out, bias=not batch_norm))
        layers += [nn.BatchNorm1d(fan_out)] if batch_norm else []
        layers.append(_activation(activation))
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]), _activation(last))


def _activation(name: str) -> nn.Module:
    if name not in _ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}: choose one of {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]()
