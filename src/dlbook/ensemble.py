"""Train several networks of one architecture at the same time: one seed is one draw."""

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from dlbook import runtime
from dlbook.data import Split, batches
from dlbook.data.batching import Transform
from dlbook.recipes import Recipe
from dlbook.training import Feed, make_optimizer, train_epoch

_EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Runs:
    """How M networks trained.

    Attributes:
        step_losses: (M, steps) float32 on the CPU, each network's loss on its own batch; NaN or infinite
            where it diverged.
        validation_score: (M,) float64 on the CPU, after the last step; of classifiers, the accuracy, 0 to 1.
    """

    step_losses: Tensor
    validation_score: Tensor


def fit_together(models: Sequence[nn.Module], feed: Feed, recipe: Recipe, seeds: Sequence[int]) -> Runs:
    """Train each model on its own order of the images, all of them in the same operations.

    The weights of all models are stacked along a new first axis, and `torch.vmap` maps forward pass and loss
    over it. Each model takes the very steps that it would take alone, up to rounding. One that diverges
    leaves the others alone. Once the losses of all models are NaN, an epoch is the last.

    Args:
        models: of one architecture, already initialized; trained in place.
        feed: images to learn from, and to judge by. Those that do not fill a last batch are left out of an
            epoch, and none is augmented.
        recipe: how to train; with an optimizer that treats every number by itself, as SGD and Adam do.
        seeds: one a model, for the order of its images.

    Raises:
        ValueError: models and seeds differ in number, the images do not fill one batch, or the feed has an
            augmentation.
    """
    size = recipe.batch_size
    if len(models) != len(seeds) or not models:
        raise ValueError(f"{len(models)} models need as many seeds, not {len(seeds)}")
    if size > len(feed.train):
        raise ValueError(f"{len(feed.train)} images do not fill a batch of {size}")
    if feed.augment:
        raise ValueError("networks that are trained together see their images as they are: leave out augment")
    device = runtime.current().device
    feed, stack = feed.to(device), _Stack(models, device)
    steps = recipe.epochs * (len(feed.train) // size)
    optimizer, schedule = make_optimizer(stack.weights.values(), recipe, steps)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    each = replace(recipe, loss=torch.vmap(recipe.loss))  # no network's loss depends on another's weights
    losses: list[Tensor] = []
    for _ in range(recipe.epochs):
        train_batches = _batches(feed.train, size, feed.transform, generators)
        losses.append(train_epoch(stack, train_batches, each, optimizer, schedule))
        if losses[-1][-1].isnan().all():  # so will every later loss be: the last biases are NaN
            break
    scores = stack.scores(feed.validation, feed.transform, recipe)
    stack.unstack(models)
    return Runs(_padded(torch.cat(losses), steps), scores)


def _padded(losses: Tensor, steps: int) -> Tensor:
    """Return the losses (taken, M) as (M, steps), NaN for the steps that were not worth taking."""
    return F.pad(losses.T, (0, steps - len(losses)), value=math.nan)


def _batches(
    split: Split, size: int, transform: Transform, generators: Sequence[torch.Generator]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (M, size, …) and labels (M, size): for each generator an order of its own."""
    orders = torch.stack([torch.randperm(len(split), generator=generator) for generator in generators])
    orders = orders[:, : len(split) // size * size].to(split.images.device)
    for indices in orders.split(size, dim=1):
        images = split.images.index_select(0, indices.flatten())
        yield transform(images).unflatten(0, indices.shape), split.labels[indices]


class _Stack(nn.Module):
    """The weights of several models along a first axis, and the forward pass mapped over it."""

    def __init__(self, models: Sequence[nn.Module], device: torch.device) -> None:
        super().__init__()
        self.template = deepcopy(models[0]).to(device)
        weights, self.statistics = stack_module_state([deepcopy(model).to(device) for model in models])
        self.weights = {name: value.detach().requires_grad_() for name, value in weights.items()}

    def forward(self, images: Tensor) -> Tensor:
        """Return outputs (M, B, …) for images (M, B, …), a batch a model."""
        return self._mapped(0)(self.weights, self.statistics, images)

    def shared(self, images: Tensor) -> Tensor:
        """Return outputs (M, B, …) for images (B, …) that all models see."""
        return self._mapped(None)(self.weights, self.statistics, images)

    def _mapped(self, axis: int | None) -> Callable[..., Tensor]:
        def one(weights: dict[str, Tensor], statistics: dict[str, Tensor], images: Tensor) -> Tensor:
            return functional_call(self.template, (weights, statistics), (images,))

        return torch.vmap(one, in_dims=(0, 0, axis), randomness="different")

    @torch.no_grad()
    def scores(self, split: Split, transform: Transform, recipe: Recipe) -> Tensor:
        """Return each model's score (M,) on a split, float64 on the CPU, in evaluation mode."""
        self.eval()
        parts = [(images, self.shared(images)) for images, _ in batches(split, _EVALUATION_BATCH, transform)]
        images = torch.cat([images for images, _ in parts]).cpu()
        outputs = torch.cat([output for _, output in parts], dim=1).cpu()
        labels = split.labels.cpu()
        return torch.tensor([recipe.score(output, images, labels) for output in outputs], dtype=torch.float64)

    @torch.no_grad()
    def unstack(self, models: Sequence[nn.Module]) -> None:
        """Give each model its weights and statistics."""
        stacked = self.weights | self.statistics
        for index, model in enumerate(models):
            model.load_state_dict({name: value[index] for name, value in stacked.items()}, strict=False)
