"""A multi-layer perceptron for questions of depth, with and without what helps depth."""

from torch import Tensor, nn


class Block(nn.Module):
    """One hidden layer: ReLU, then a square linear layer; optionally batch norm and a shortcut.

    Args:
        width: units in and out.
        batch_norm: standardize each unit over the batch, before the ReLU (Ioffe & Szegedy, 2015).
        residual: add the block's input to its output (He et al., 2016).
    """

    def __init__(self, width: int, batch_norm: bool, residual: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()
        self.linear = nn.Linear(width, width)
        self.residual = residual

    def forward(self, pre_activations: Tensor) -> Tensor:
        """Map the pre-activations (N, width) of one layer to those of the next."""
        out = self.linear(self.relu(self.norm(pre_activations)))
        return pre_activations + out if self.residual else out


class DeepMLP(nn.Module):
    """Hidden layers of one width, and a linear layer to the logits.

    Args:
        width: units of every hidden layer.
        depth: number of hidden layers.
        batch_norm: standardize every layer's pre-activations over the batch.
        residual: let every hidden layer but the first add to what it gets.
        input_size: values of one image.
        classes: logits of one image.

    Raises:
        ValueError: a size is below 1.
    """

    def __init__(
        self,
        width: int = 100,
        depth: int = 30,
        *,
        batch_norm: bool = False,
        residual: bool = False,
        input_size: int = 784,
        classes: int = 10,
    ) -> None:
        super().__init__()
        if min(width, depth, input_size, classes) < 1:
            raise ValueError(
                f"every size is at least 1, not width {width}, depth {depth}, "
                f"input_size {input_size}, classes {classes}"
            )
        self.first = nn.Linear(input_size, width)
        self.blocks = nn.ModuleList(Block(width, batch_norm, residual) for _ in range(depth - 1))
        self.norm = nn.BatchNorm1d(width) if batch_norm else nn.Identity()
        self.last = nn.Linear(width, classes)

    def pre_activations(self, images: Tensor) -> list[Tensor]:
        """Return what each hidden layer puts out before its ReLU.

        Args:
            images: (N, …) floats, ``input_size`` of them an image.

        Returns:
            One tensor (N, width) a hidden layer, the first layer's first.
        """
        layers = [self.first(images.flatten(1))]
        for block in self.blocks:
            layers.append(block(layers[-1]))
        return layers

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, classes) for images (N, …) of ``input_size`` floats each."""
        top = self.pre_activations(images)[-1]
        return self.last(self.norm(top).relu())
