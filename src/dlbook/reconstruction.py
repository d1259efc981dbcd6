"""Training and evaluation of autoencoders: the loss is the squared error of the reconstruction."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor, nn

from dlbook import runtime
from dlbook.data import Split, batches
from dlbook.data.batching import Transform
from dlbook.metrics import reconstruction_error
from dlbook.models import copy_weights
from dlbook.training import Recipe, make_optimizer, outputs, require_finite, train_epoch


@dataclass
class History:
    """What happened in training; one entry an epoch, but for the step losses.

    Attributes:
        seed: the seed of this run.
        step_losses: mean squared error per pixel of each step's batch, in training mode.
        train_error: mean of the epoch's step losses.
        validation_error: mean squared error per pixel, in evaluation mode.
        seconds: wall-clock time since the start, validation included.
    """

    seed: int
    step_losses: list[float] = field(default_factory=list)
    train_error: list[float] = field(default_factory=list)
    validation_error: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first epoch, counted from 0, with the lowest validation error."""
        return self.validation_error.index(min(self.validation_error))


def fit(
    model: nn.Module, train: Split, validation: Split, recipe: Recipe, transform: Transform, seed: int = 0
) -> History:
    """Train an autoencoder in place, and leave it with the weights of its best validation epoch.

    Args:
        model: from transformed images to images of the same shape; moved to the runtime's device.
        train: images to learn from; their labels are not looked at.
        validation: images to choose the best epoch by; never learned from.
        recipe: how to train. There are no labels to smooth: ``label_smoothing`` must be 0.
        transform: from images (B, C, H, W) uint8 to what the model takes, and gives back.
        seed: seeds every generator before the first step.

    Returns:
        What happened, epoch by epoch.

    Raises:
        DivergedError: the loss became infinite or NaN; the message names the step.
        ValueError: the recipe smooths labels, or every parameter of the model is frozen.
    """
    if recipe.label_smoothing:
        raise ValueError("an autoencoder has no labels to smooth: set label_smoothing to 0")
    generator = runtime.seed_everything(seed)
    device = runtime.current().device
    model.to(device)
    train, validation = train.to(device), validation.to(device)
    optimizer, schedule = make_optimizer(model, recipe, recipe.steps(len(train)))
    history, best = History(seed), copy_weights(model)
    start = time.perf_counter()
    for epoch in runtime.progress(range(recipe.epochs), desc=f"seed {seed}", unit="epoch"):
        train_batches = batches(train, recipe.batch_size, transform, generator)
        losses = train_epoch(model, train_batches, _squared_error, optimizer, schedule, recipe.bfloat16)
        require_finite(losses, steps_before=len(history.step_losses))
        error = evaluate(model, validation, transform)
        require_finite([error], steps_before=len(history.step_losses) + len(losses) - 1)
        _note_epoch(history, losses, error, time.perf_counter() - start)
        if history.best_epoch == epoch:
            best = copy_weights(model)
    model.load_state_dict(best)
    model.eval()
    return history


def _squared_error(output: Tensor, images: Tensor, _: Tensor) -> Tensor:
    return F.mse_loss(output, images)


def _note_epoch(history: History, losses: list[float], validation_error: float, seconds: float) -> None:
    history.step_losses += losses
    history.train_error.append(sum(losses) / len(losses))
    history.validation_error.append(validation_error)
    history.seconds.append(seconds)


def evaluate(model: nn.Module, split: Split, transform: Transform) -> float:
    """Return the mean squared error per pixel, on the scale that ``transform`` gives the images."""
    return reconstruction_error(transform(split.images).cpu(), outputs(model, split, transform))


def fit_seeds(
    build: Callable[[], nn.Module],
    train: Split,
    validation: Split,
    recipe: Recipe,
    transform: Transform,
    seeds: Sequence[int],
) -> list[tuple[nn.Module, History]]:
    """Train one autoencoder a seed, the initial weights drawn from that seed too.

    Args:
        build: returns a freshly initialized model.
        train: as for `fit`, like the arguments that follow.
        validation: see `fit`.
        recipe: see `fit`.
        transform: see `fit`.
        seeds: one run each.

    Returns:
        The trained models with their histories, in the order of the seeds.
    """
    runs = []
    for seed in seeds:
        runtime.seed_everything(seed)
        model = build()
        runs.append((model, fit(model, train, validation, recipe, transform, seed)))
    return runs
