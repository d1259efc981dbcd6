"""How to train: a recipe, and what it is put together from: optimizer, loss and score.

Each of the three is a function, or something that is called like one. The ones here say what they are made
of when they are printed; a recipe takes any other as well.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from dlbook import metrics

MakeOptimizer = Callable[[Iterable[Tensor], float], Optimizer]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Score = Callable[[Tensor, Tensor, Tensor], float]
Schedule = Literal["one-cycle", "linear", "constant"]


@dataclass(frozen=True)
class AdamW:
    """PyTorch's AdamW (Loshchilov & Hutter, 2019), its parameters and learning rate still to be named.

    Attributes:
        weight_decay: share of the learning rate by which a weight shrinks in a step, 0 or more.
    """

    weight_decay: float = 0.01

    def __call__(self, parameters: Iterable[Tensor], learning_rate: float) -> Optimizer:
        """Return the optimizer of these parameters."""
        return torch.optim.AdamW(parameters, learning_rate, weight_decay=self.weight_decay, fused=True)


@dataclass(frozen=True)
class CrossEntropy:
    """The mean cross-entropy of a batch, in nats.

    Attributes:
        label_smoothing: share of the target probability spread over all classes, 0 to 1.
    """

    label_smoothing: float = 0.0

    def __call__(self, logits: Tensor, _: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of logits (B, K) for labels (B,)."""
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


def squared_error(output: Tensor, images: Tensor, _: Tensor) -> Tensor:
    """Return the mean squared error per pixel of what should be the images again."""
    return F.mse_loss(output, images)


def accuracy(logits: Tensor, _: Tensor, labels: Tensor) -> float:
    """Return the share of logits (N, K) whose largest is at the label, 0 to 1."""
    return metrics.accuracy(logits, labels)


def negative_error(output: Tensor, images: Tensor, _: Tensor) -> float:
    """Return minus the mean squared error per pixel, summed in double precision: the higher, the better."""
    return -metrics.reconstruction_error(images, output)


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that changes the outcome but the model, the data and the seed.

    Attributes:
        epochs: passes over the training split.
        batch_size: images a step.
        peak_learning_rate: the highest step size of the one-cycle schedule (Smith & Topin, 2019),
            in PyTorch's form: it warms up for the first 30% of the steps, then falls to nearly zero.
        optimizer: from the trainable parameters and the peak learning rate to their optimizer.
        loss: from the model's output, the images and the labels of a batch to what the steps make smaller.
        validation_loss: the same on validation images, without what is meant for training only, such as
            label smoothing; None where ``loss`` has nothing of the kind.
        score: from the outputs, images and labels of the validation split to a number that is higher for
            a better model. It chooses the epoch whose weights are kept.
        schedule: ``"linear"`` falls from the peak straight to zero, and ``"constant"`` stays at the peak.
        bfloat16: compute the forward and backward pass in bfloat16 where the device has units for it
            (see `runtime.autocast`); the weights and the loss stay float32, and so does evaluation.

    Raises:
        ValueError: a value is out of its range.
    """

    epochs: int
    batch_size: int
    peak_learning_rate: float
    optimizer: MakeOptimizer = AdamW()
    loss: Loss = CrossEntropy()
    validation_loss: Loss | None = None
    score: Score = accuracy
    schedule: Schedule = "one-cycle"
    bfloat16: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1: {self}")
        if self.peak_learning_rate <= 0:
            raise ValueError(f"the learning rate must be above 0: {self}")
        if self.schedule not in get_args(Schedule):
            raise ValueError(f"schedule is one of {', '.join(get_args(Schedule))}: {self}")

    def steps(self, images: int) -> int:
        """Return the number of optimizer steps for a training split of ``images`` images."""
        return self.epochs * -(-images // self.batch_size)
