"""A convolutional network for digits that trains in about a second."""

from torch import Tensor, nn


class SmallCNN(nn.Module):
    """Two convolutions with stride 2 and two linear layers, ReLU between them.

    Args:
        channels: output channels of the two convolutions.
        hidden: units between the two linear layers.
    """

    def __init__(self, channels: tuple[int, int] = (8, 16), hidden: int = 64) -> None:
        super().__init__()
        first, second = channels
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, kernel_size=5, stride=2, padding=2),  # (N, first, 14, 14)
            nn.ReLU(),
            nn.Conv2d(first, second, kernel_size=3, stride=2, padding=1),  # (N, second, 7, 7)
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(second * 7 * 7, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 10) for images (N, 1, 28, 28) of floats."""
        return self.layers(images)
