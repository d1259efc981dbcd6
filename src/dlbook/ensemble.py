"""Train several networks of one architecture at the same time: one seed is one draw."""

import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from torch.optim import Optimizer

from dlbook import runtime
from dlbook.data import Split, batches
from dlbook.data.batching import Transform

_EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Runs:
    """How M networks trained.

    Attributes:
        step_losses: (M, steps) float32 on the CPU, each network's loss on its own batch; NaN or infinite
            where it diverged.
        validation_accuracy: (M,) float64 on the CPU, 0 to 1, after the last step.
    """

    step_losses: Tensor
    validation_accuracy: Tensor


def fit_together(
    models: Sequence[nn.Module],
    train: Split,
    validation: Split,
    transform: Transform,
    make_optimizer: Callable[[Iterable[Tensor]], Optimizer],
    seeds: Sequence[int],
    epochs: int,
    batch_size: int = 100,
) -> Runs:
    """Train each model on its own order of the images, all of them in the same operations.

    The weights of all models are stacked along a new first axis, and `torch.vmap` maps the forward pass
    over it. Each model takes the very steps that it would take alone, up to rounding. Once the losses of
    all models are NaN, an epoch is the last.

    Args:
        models: of one architecture, already initialized; trained in place.
        train: images to learn from; those that do not fill a last batch are left out of an epoch.
        validation: images to judge by.
        transform: from images (B, C, H, W) uint8 to what a model takes.
        make_optimizer: from the stacked parameters to an optimizer that treats every number by itself,
            as SGD and Adam do, such as ``functools.partial(torch.optim.Adam, lr=1e-3)``.
        seeds: one a model, for the order of its images.
        epochs: passes over the training images.
        batch_size: images a step.

    Raises:
        ValueError: models and seeds differ in number, or the images do not fill one batch.
    """
    if len(models) != len(seeds) or not models:
        raise ValueError(f"{len(models)} models need as many seeds, not {len(seeds)}")
    if not 1 <= batch_size <= len(train):
        raise ValueError(f"{len(train)} images do not fill a batch of {batch_size}")
    device = runtime.current().device
    state = _Stack(models, device)
    optimizer = make_optimizer(state.parameters.values())
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    on_device, losses = train.to(device), []
    for _ in range(epochs):
        for images, labels in _batches(on_device, batch_size, transform, generators):
            logits = state.forward(images)
            each = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
            each = each.unflatten(0, labels.shape).mean(dim=1)
            optimizer.zero_grad()
            each.sum().backward()  # no network's loss depends on another's weights
            optimizer.step()
            losses.append(each.detach())
        if each.isnan().all():  # so will every later loss be: the last biases are NaN
            break
    accuracy = state.accuracy(validation.to(device), transform)
    state.unstack(models)
    return Runs(_padded(losses, epochs * (len(train) // batch_size)), accuracy.cpu().double())


def _padded(losses: list[Tensor], steps: int) -> Tensor:
    """Return the losses (M, steps) on the CPU, NaN for the steps that were not worth taking."""
    taken = torch.stack(losses, dim=1).cpu()
    return F.pad(taken, (0, steps - taken.shape[1]), value=math.nan)


def _batches(
    split: Split, size: int, transform: Transform, generators: Sequence[torch.Generator]
) -> Iterable[tuple[Tensor, Tensor]]:
    """Yield images (M, size, …) and labels (M, size): for each generator an order of its own."""
    orders = torch.stack([torch.randperm(len(split), generator=generator) for generator in generators])
    orders = orders[:, : len(split) // size * size].to(split.images.device)
    for indices in orders.split(size, dim=1):
        images = split.images.index_select(0, indices.flatten())
        yield transform(images).unflatten(0, indices.shape), split.labels[indices]


class _Stack:
    """The weights of several models along a first axis, and the forward pass mapped over it."""

    def __init__(self, models: Sequence[nn.Module], device: torch.device) -> None:
        self.template = deepcopy(models[0]).to(device)
        parameters, self.buffers = stack_module_state([deepcopy(model).to(device) for model in models])
        self.parameters = {name: value.detach().requires_grad_() for name, value in parameters.items()}

    def forward(self, images: Tensor, shared: bool = False) -> Tensor:
        """Return logits (M, B, K) for images (M, B, …), or (B, …) ``shared`` by all models."""

        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], images: Tensor) -> Tensor:
            return functional_call(self.template, (parameters, buffers), (images,))

        mapped = torch.vmap(one, in_dims=(0, 0, None if shared else 0), randomness="different")
        return mapped(self.parameters, self.buffers, images)

    @torch.no_grad()
    def accuracy(self, split: Split, transform: Transform) -> Tensor:
        self.template.eval()
        hits = [
            (self.forward(images, shared=True).argmax(dim=2) == labels).sum(dim=1)
            for images, labels in batches(split, _EVALUATION_BATCH, transform)
        ]
        return torch.stack(hits).sum(dim=0) / len(split)

    @torch.no_grad()
    def unstack(self, models: Sequence[nn.Module]) -> None:
        stacked = self.parameters | self.buffers
        for index, model in enumerate(models):
            model.load_state_dict({name: value[index] for name, value in stacked.items()}, strict=False)
