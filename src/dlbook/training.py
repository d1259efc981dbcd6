"""One training loop for the whole book, and the evaluation that goes with it."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LinearLR, LRScheduler, OneCycleLR

from dlbook import progress, runtime
from dlbook.data import Split, batches
from dlbook.data.augment import Augment
from dlbook.data.batching import Transform
from dlbook.metrics import accuracy
from dlbook.models import copy_weights, device_of
from dlbook.recipes import Recipe

# A batch in evaluation holds at most so many images, and of large ones fewer, as their maps take more memory.
_EVALUATION_BATCH, _EVALUATION_PIXELS = 1000, 1000 * 32 * 32


class DivergedError(RuntimeError):
    """The loss became infinite or NaN, so training stopped."""


@dataclass(frozen=True)
class Feed:
    """What a network is fed.

    Attributes:
        train: images to learn from.
        validation: images to choose the best epoch by; never learned from.
        transform: from images (B, C, H, W) uint8 to what the model takes.
        augment: changes the training images at random before ``transform``; validation stays clean.
    """

    train: Split
    validation: Split
    transform: Transform
    augment: Augment | None = None

    def to(self, device: torch.device) -> "Feed":
        """Return the feed with both splits on ``device``."""
        return replace(self, train=self.train.to(device), validation=self.validation.to(device))

    def batches(self, batch_size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the training split once, shuffled, augmented and transformed, with its labels."""

        def prepare(images: Tensor) -> Tensor:
            return self.transform(self.augment(images, generator) if self.augment else images)

        return batches(self.train, batch_size, prepare, generator)


@dataclass
class History:
    """What happened in training; one entry an epoch, but for the step losses.

    Attributes:
        seed: the seed of this run.
        step_losses: training loss of each step's batch, dropout on.
        train_loss: mean of the epoch's step losses.
        validation_loss: the recipe's validation loss, in evaluation mode.
        validation_score: the recipe's score, in evaluation mode; of a classifier, the share of validation
            images classified correctly, 0 to 1.
        seconds: wall-clock time since the start, validation included.
    """

    seed: int
    step_losses: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_score: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first epoch, counted from 0, with the highest validation score."""
        return self.validation_score.index(max(self.validation_score))


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


def make_optimizer(parameters: Iterable[Tensor], recipe: Recipe, steps: int) -> tuple[Optimizer, LRScheduler]:
    """Return the recipe's optimizer for the trainable parameters, and its schedule over ``steps`` steps."""
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    if not trainable:
        raise ValueError("nothing to train: every parameter is frozen (requires_grad is False)")
    optimizer = recipe.optimizer(trainable, recipe.peak_learning_rate)
    if recipe.schedule == "one-cycle":
        peaks = [group["lr"] for group in optimizer.param_groups]
        return optimizer, OneCycleLR(optimizer, peaks, total_steps=steps)
    end = 0.0 if recipe.schedule == "linear" else 1.0
    return optimizer, LinearLR(optimizer, 1.0, end_factor=end, total_iters=steps)


def fit(model: nn.Module, feed: Feed, recipe: Recipe, seed: int = 0) -> History:
    """Train a model in place, and leave it with the weights of its best validation epoch.

    Args:
        model: from transformed images to what the recipe's loss and score take; it is moved to the
            runtime's device.
        feed: what to learn from, and what to choose the best epoch by.
        recipe: how to train.
        seed: seeds every generator before the first step.

    Returns:
        What happened, epoch by epoch.

    Raises:
        DivergedError: the loss became infinite or NaN; the message names the step.
        ValueError: every parameter of the model is frozen.
    """
    generator = runtime.seed_everything(seed)
    device = runtime.current().device
    model.to(device)
    feed = feed.to(device)
    optimizer, schedule = make_optimizer(model.parameters(), recipe, recipe.steps(len(feed.train)))
    history, best = History(seed), copy_weights(model)
    start = time.perf_counter()
    epochs = progress.bar(range(recipe.epochs), desc=f"seed {seed}", unit="epoch")
    for epoch in epochs:
        train_batches = feed.batches(recipe.batch_size, generator)
        losses = train_epoch(model, train_batches, recipe, optimizer, schedule).tolist()
        require_finite(losses, steps_before=len(history.step_losses))
        history.step_losses += losses
        history.train_loss.append(sum(losses) / len(losses))
        _validate(model, feed, recipe, history)
        history.seconds.append(time.perf_counter() - start)
        if history.best_epoch == epoch:
            best = copy_weights(model)
        epochs.set_postfix(score=f"{history.validation_score[-1]:.4g}")
    model.load_state_dict(best)
    model.eval()
    runtime.release_memory()
    return history


def train_epoch(
    model: nn.Module,
    train_batches: Iterable[tuple[Tensor, Tensor]],
    recipe: Recipe,
    optimizer: Optimizer,
    schedule: LRScheduler,
) -> Tensor:
    """Take one step a batch; return the losses (steps,) on the CPU, read from the device once at the end.

    Args:
        model: trained in place, in training mode.
        train_batches: transformed images with their labels, as `Feed.batches` yields them.
        recipe: its loss and precision count here. Where the loss has several entries, as that of
            several networks, the step makes their sum smaller, and the losses are (steps, M).
        optimizer: of the model's parameters; see `make_optimizer`.
        schedule: of the optimizer's learning rate, by the step.
    """
    model.train()
    losses = []
    for images, labels in train_batches:
        with runtime.autocast(recipe.bfloat16):
            output = model(images).float()
        loss = recipe.loss(output, images, labels)
        optimizer.zero_grad()
        loss.sum().backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
    return torch.stack(losses).cpu()


def _validate(model: nn.Module, feed: Feed, recipe: Recipe, history: History) -> None:
    """Note loss and score on the validation split."""
    answers = _answers(model, feed.validation, feed.transform)
    images, output = _gathered(answers, len(feed.validation))
    labels = feed.validation.labels.cpu()
    loss = (recipe.validation_loss or recipe.loss)(output, images, labels).item()
    require_finite([loss], steps_before=len(history.step_losses) - 1)
    history.validation_loss.append(loss)
    history.validation_score.append(recipe.score(output, images, labels))


def require_finite(losses: Iterable[float], steps_before: int) -> None:
    """Raise `DivergedError` for the first loss that is infinite or NaN, with the number of its step."""
    for number, loss in enumerate(losses, start=steps_before + 1):
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss} at step {number}: lower the learning rate, "
                "or look for NaN and wrong scales in the images"
            )


def outputs(model: nn.Module, split: Split, transform: Transform) -> Tensor:
    """Return what the model puts out for each image, float32 on the CPU, in evaluation mode.

    Dropout is off and statistics are fixed. The model keeps the mode it was in.
    """
    alone = ((output,) for _, output in _answers(model, split, transform))
    return _gathered(alone, len(split))[0]


def _gathered(answers: Iterable[tuple[Tensor, ...]], count: int) -> list[Tensor]:
    """Return tensors whole, float32 on the CPU, that come in batches.

    They are written where they stay. A list of all batches, joined in the end, would hold all twice, and
    its many small pieces would leave gaps in the process's memory that the system does not get back.

    Args:
        answers: for each batch, one or several tensors (B, …).
        count: N, the sum of all B.
    """
    whole: list[Tensor] = []
    start = 0
    for parts in answers:
        whole = whole or [torch.empty(count, *part.shape[1:]) for part in parts]
        for target, part in zip(whole, parts, strict=True):
            target[start : start + len(part)] = part.float()
        start += len(parts[0])
    runtime.release_memory()
    return whole


@torch.no_grad()
def _answers(model: nn.Module, split: Split, transform: Transform) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of transformed images, and what the model puts out for them in evaluation mode."""
    was_training = model.training
    model.eval()
    size = max(1, min(_EVALUATION_BATCH, _EVALUATION_PIXELS // split.images[0, 0].numel()))
    for images, _ in batches(split.to(device_of(model)), size, transform):
        yield images, model(images)
    model.train(was_training)


def evaluate(model: nn.Module, split: Split, transform: Transform) -> Evaluation:
    """Return the model's logits on a split, as `outputs` computes them."""
    return Evaluation(outputs(model, split, transform), split.labels.cpu())


def fit_seeds(
    build: Callable[[], nn.Module], feed: Feed, recipe: Recipe, seeds: Sequence[int]
) -> list[tuple[nn.Module, History]]:
    """Train one model a seed, the initial weights drawn from that seed too.

    Args:
        build: returns a freshly initialized model.
        feed: as for `fit`.
        recipe: as for `fit`.
        seeds: one run each.

    Returns:
        The trained models with their histories, in the order of the seeds.
    """
    runs = []
    for seed in seeds:
        runtime.seed_everything(seed)
        model = build()
        runs.append((model, fit(model, feed, recipe, seed)))
    return runs
