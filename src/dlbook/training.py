"""One training loop for the whole book, and the evaluation that goes with it."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LinearLR, LRScheduler, OneCycleLR

from dlbook import runtime
from dlbook.data import Split, batches
from dlbook.data.augment import Augment
from dlbook.data.batching import Transform
from dlbook.metrics import accuracy
from dlbook.models import copy_weights, device_of
from dlbook.optimizers import MuonSGD

_EVALUATION_BATCH = 1000
BatchLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
Schedule = Literal["one-cycle", "linear", "constant"]


class DivergedError(RuntimeError):
    """The loss became infinite or NaN, so training stopped."""


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that changes the outcome but the model, the data and the seed.

    Attributes:
        epochs: passes over the training split.
        batch_size: images a step.
        peak_learning_rate: the highest step size of the one-cycle schedule (Smith & Topin, 2019),
            in PyTorch's form: it warms up for the first 30% of the steps, then falls to nearly zero.
        weight_decay: AdamW's (Loshchilov & Hutter, 2019); `muon` has its own.
        label_smoothing: share of the target probability spread over all classes (0 to 1).
        muon: step by `dlbook.optimizers.MuonSGD` in place of AdamW; the peak is Muon's learning rate then.
        schedule: ``"linear"`` falls from the peak straight to zero, and ``"constant"`` stays at the peak.
        bfloat16: compute the forward and backward pass in bfloat16 where the device has units for it
            (see `runtime.autocast`); the weights and the loss stay float32, and so does evaluation.

    Raises:
        ValueError: a value is out of its range.
    """

    epochs: int
    batch_size: int
    peak_learning_rate: float
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    muon: bool = False
    schedule: Schedule = "one-cycle"
    bfloat16: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1: {self}")
        if self.peak_learning_rate <= 0 or self.weight_decay < 0:
            raise ValueError(f"the learning rate must be above 0 and the weight decay not below: {self}")
        if self.schedule not in get_args(Schedule):
            raise ValueError(f"schedule is one of {', '.join(get_args(Schedule))}: {self}")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing lies in 0 to 1, 1 excluded: {self}")

    def steps(self, images: int) -> int:
        """Return the number of optimizer steps for a training split of ``images`` images."""
        return self.epochs * -(-images // self.batch_size)


@dataclass
class History:
    """What happened in training; one entry an epoch, but for the step losses.

    Attributes:
        step_losses: training loss of each step's batch, dropout on.
        train_loss: mean of the epoch's step losses.
        validation_loss: mean cross-entropy in evaluation mode, without label smoothing.
        validation_accuracy: share of validation images classified correctly, 0 to 1.
        seconds: wall-clock time since the start, validation included.
        seed: the seed of this run.
    """

    seed: int
    step_losses: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first epoch, counted from 0, with the highest validation accuracy."""
        return self.validation_accuracy.index(max(self.validation_accuracy))


@dataclass(frozen=True)
class Evaluation:
    """A model's answers on a split.

    Attributes:
        logits: (N, K) float32 on the CPU.
        labels: (N,) int64 on the CPU.
    """

    logits: Tensor
    labels: Tensor

    @property
    def predictions(self) -> Tensor:
        """The most likely class of each image, (N,) int64."""
        return self.logits.argmax(dim=1)

    @property
    def accuracy(self) -> float:
        """Share of correct predictions, 0 to 1."""
        return accuracy(self.logits, self.labels)

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return F.cross_entropy(self.logits, self.labels).item()


def make_optimizer(model: nn.Module, recipe: Recipe, steps: int) -> tuple[Optimizer, LRScheduler]:
    """Return the recipe's optimizer for the trainable parameters, and its schedule over ``steps`` steps."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ValueError("nothing to train: every parameter is frozen (requires_grad is False)")
    make = MuonSGD if recipe.muon else partial(AdamW, weight_decay=recipe.weight_decay, fused=True)
    optimizer = make(trainable, lr=recipe.peak_learning_rate)
    if recipe.schedule == "one-cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        return optimizer, OneCycleLR(optimizer, peaks, total_steps=steps)
    end = 0.0 if recipe.schedule == "linear" else 1.0
    return optimizer, LinearLR(optimizer, 1.0, end_factor=end, total_iters=steps)


def fit(
    model: nn.Module,
    train: Split,
    validation: Split,
    recipe: Recipe,
    transform: Transform,
    seed: int = 0,
    augment: Augment | None = None,
) -> History:
    """Train a model in place, and leave it with the weights of its best validation epoch.

    Args:
        model: from transformed images to logits (N, K); it is moved to the runtime's device.
        train: images to learn from.
        validation: images to choose the best epoch by; never learned from.
        recipe: how to train.
        transform: from images (B, C, H, W) uint8 to what the model takes.
        seed: seeds every generator before the first step.
        augment: changes the training images at random before ``transform``; validation stays clean.

    Returns:
        What happened, epoch by epoch.

    Raises:
        DivergedError: the loss became infinite or NaN; the message names the step.
        ValueError: every parameter of the model is frozen.
    """
    generator = runtime.seed_everything(seed)
    device = runtime.current().device
    model.to(device)
    train, validation = train.to(device), validation.to(device)
    optimizer, schedule = make_optimizer(model, recipe, recipe.steps(len(train)))

    def train_transform(images: Tensor) -> Tensor:
        return transform(augment(images, generator) if augment else images)

    def loss_of(logits: Tensor, _: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    history, best = History(seed), copy_weights(model)
    start = time.perf_counter()
    epochs = runtime.progress(range(recipe.epochs), desc=f"seed {seed}", unit="epoch")
    for epoch in epochs:
        train_batches = batches(train, recipe.batch_size, train_transform, generator)
        losses = train_epoch(model, train_batches, loss_of, optimizer, schedule, recipe.bfloat16)
        require_finite(losses, steps_before=len(history.step_losses))
        evaluation = evaluate(model, validation, transform)
        require_finite([evaluation.loss], steps_before=len(history.step_losses) + len(losses) - 1)
        _note_epoch(history, losses, evaluation, time.perf_counter() - start)
        if history.best_epoch == epoch:
            best = copy_weights(model)
        epochs.set_postfix(validation=f"{evaluation.accuracy:.2%}")
    model.load_state_dict(best)
    model.eval()
    return history


def train_epoch(
    model: nn.Module,
    train_batches: Iterable[tuple[Tensor, Tensor]],
    loss_of: BatchLoss,
    optimizer: Optimizer,
    schedule: LRScheduler,
    bfloat16: bool = False,
) -> list[float]:
    """Take one step a batch; return the losses, read from the device once at the end.

    Args:
        model: trained in place, in training mode.
        train_batches: transformed images with their labels, as `dlbook.data.batches` yields them.
        loss_of: from the model's float32 output, the images and the labels of a batch to its loss.
        optimizer: of the model's parameters; see `make_optimizer`.
        schedule: of the optimizer's learning rate, by the step.
        bfloat16: see `Recipe`.
    """
    model.train()
    losses = []
    for images, labels in train_batches:
        with runtime.autocast(bfloat16):
            output = model(images).float()
        loss = loss_of(output, images, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
    return torch.stack(losses).tolist()


def require_finite(losses: Iterable[float], steps_before: int) -> None:
    """Raise `DivergedError` for the first loss that is infinite or NaN, with the number of its step."""
    for number, loss in enumerate(losses, start=steps_before + 1):
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss} at step {number}: lower the learning rate, "
                "or look for NaN and wrong scales in the images"
            )


def _note_epoch(history: History, losses: list[float], evaluation: Evaluation, seconds: float) -> None:
    history.step_losses += losses
    history.train_loss.append(sum(losses) / len(losses))
    history.validation_loss.append(evaluation.loss)
    history.validation_accuracy.append(evaluation.accuracy)
    history.seconds.append(seconds)


@torch.no_grad()
def outputs(model: nn.Module, split: Split, transform: Transform) -> Tensor:
    """Return what the model puts out for each image, float32 on the CPU, in evaluation mode.

    Dropout is off and statistics are fixed. The model keeps the mode it was in.
    """
    was_training = model.training
    model.eval()
    split = split.to(device_of(model))
    parts = [model(images) for images, _ in batches(split, _EVALUATION_BATCH, transform)]
    model.train(was_training)
    return torch.cat(parts).float().cpu()


def evaluate(model: nn.Module, split: Split, transform: Transform) -> Evaluation:
    """Return the model's logits on a split, as `outputs` computes them."""
    return Evaluation(outputs(model, split, transform), split.labels.cpu())


def fit_seeds(
    build: Callable[[], nn.Module],
    train: Split,
    validation: Split,
    recipe: Recipe,
    transform: Transform,
    seeds: Sequence[int],
    augment: Augment | None = None,
) -> list[tuple[nn.Module, History]]:
    """Train one model a seed, the initial weights drawn from that seed too.

    Args:
        build: returns a freshly initialized model.
        train: as for `fit`, like the arguments that follow.
        validation: see `fit`.
        recipe: see `fit`.
        transform: see `fit`.
        seeds: one run each.
        augment: see `fit`.

    Returns:
        The trained models with their histories, in the order of the seeds.
    """
    runs = []
    for seed in seeds:
        runtime.seed_everything(seed)
        model = build()
        runs.append((model, fit(model, train, validation, recipe, transform, seed, augment)))
    return runs
