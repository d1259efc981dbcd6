"""The recipe that made ``vgg_cifar10.safetensors``: a small VGG learns CIFAR-10.

Run ``python -m dlbook.weights.train_vgg_cifar10 OUTPUT.safetensors``. Half an hour on two cores.

In the first phase, each step shows the network two random views of every image. It must name the class
of both, and must recognize, among all views of the batch, which two are of one image (Chen et al., 2020).
The second task keeps what tells images apart beyond the ten classes, which is what other tasks may need.
The second phase is short, and for the classes alone, on views that are closer to the images.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchvision.transforms import v2

from dlbook import data, runtime, training
from dlbook.models.vgg import SMALL, VGG


@dataclass(frozen=True)
class Phase(training.Recipe):
    """A recipe for one or two tasks.

    Attributes:
        contrastive_weight: of the second task's loss, against 1 for the classes'; 0 for the classes
            alone, from one view of each image.
        temperature: by which the second task divides cosine similarities.
        smallest_view: the smallest share of an image's area that a view shows.
        light: how much a view's contrast and brightness vary; 1 for ±30% and ±30 of 255.
        seed: of the weights, the order and the views.
    """

    contrastive_weight: float = 0.3
    temperature: float = 0.2
    smallest_view: float = 0.4
    light: float = 1.0
    seed: int = 0


PHASES = (
    Phase(epochs=13, batch_size=128, peak_learning_rate=3e-3, weight_decay=0.05, bfloat16=True),
    Phase(
        epochs=7,
        batch_size=128,
        peak_learning_rate=1.5e-3,
        weight_decay=0.05,
        bfloat16=True,
        contrastive_weight=0.0,
        smallest_view=0.7,
        light=0.3,
        seed=1,
    ),
)


def random_views(images: Tensor, generator: torch.Generator, smallest: float, light: float) -> Tensor:
    """Return one random view of each image: a part of it, resized, perhaps mirrored, lighter or darker.

    Args:
        images: (N, C, H, W), 0 to 255.
        generator: on the CPU.
        smallest: the smallest share of the area that a view shows, above 0 to 1.
        light: how much contrast and brightness vary, from 0 up.

    Returns:
        (N, C, H, W) float32, 0 to 255.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(len(images)).uniform_(low, high, generator=generator)

    side, aspect = uniform(smallest, 1).sqrt(), uniform(-0.2, 0.2).exp()
    width, height = (side * aspect).clamp(max=1), (side / aspect).clamp(max=1)
    mirror = uniform(-1, 1).sign()
    corners = torch.zeros(len(images), 2, 3)
    corners[:, 0, 0], corners[:, 1, 1] = width * mirror, height
    corners[:, 0, 2], corners[:, 1, 2] = uniform(-1, 1) * (1 - width), uniform(-1, 1) * (1 - height)
    grid = F.affine_grid(corners.to(images.device), list(images.shape), align_corners=False)
    views = F.grid_sample(images.float(), grid, padding_mode="reflection", align_corners=False)
    contrast = (1 + 0.3 * light * uniform(-1, 1)).to(images.device)[:, None, None, None]
    brightness = (30 * light * uniform(-1, 1)).to(images.device)[:, None, None, None]
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    return ((views - mean) * contrast + mean + brightness).clamp(0, 255)


def contrastive_loss(codes: Tensor, temperature: float) -> Tensor:
    """Return the mean cross-entropy of finding each view's partner by cosine similarity.

    Args:
        codes: (2 N, D); row n and row n + N are views of one image.
        temperature: above 0; smaller weighs the most similar strangers more.
    """
    codes = F.normalize(codes.float(), dim=1)
    similarity = codes @ codes.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(codes), dtype=torch.bool, device=codes.device), -1e4)
    partner = torch.arange(len(codes), device=codes.device).roll(len(codes) // 2)
    return F.cross_entropy(similarity, partner)


class TwoTasks(nn.Module):
    """The network, and the two layers that only the second task uses."""

    def __init__(self) -> None:
        super().__init__()
        self.network = VGG(SMALL).to(memory_format=torch.channels_last)
        width = self.network.feature_count
        self.code = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64))

    def forward(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and codes for standardized views (N, 3, H, W)."""
        features = self.network.penultimate(views.contiguous(memory_format=torch.channels_last))
        return self.network.head(features).float(), self.code(features)


def train_epoch(
    model: TwoTasks,
    split: data.Split,
    normalize: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    phase: Phase,
    generator: torch.Generator,
) -> float:
    """Pass once over the split; return the mean cross-entropy of the classes."""
    model.train()
    losses = []
    view_count = 2 if phase.contrastive_weight else 1
    for images, labels in data.batches(split, phase.batch_size, lambda images: images, generator):
        views = [random_views(images, generator, phase.smallest_view, phase.light) for _ in range(view_count)]
        with runtime.autocast(phase.bfloat16):
            logits, codes = model(normalize(torch.cat(views) / 255))
        loss = F.cross_entropy(logits, labels.repeat(view_count))
        losses.append(loss.item())
        if phase.contrastive_weight:
            loss = loss + phase.contrastive_weight * contrastive_loss(codes, phase.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return sum(losses) / len(losses)


def save(network: VGG, metadata: dict[str, str], path: Path) -> None:
    """Write the weights as float16, under their final name only when they are whole."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    }
    draft = path.with_suffix(".draft")
    save_file(tensors, draft, metadata)
    os.replace(draft, path)


def train(path: Path, phases: Sequence[Phase] = PHASES, start: Path | None = None) -> None:
    """Train on CIFAR-10 and save after every epoch; test once, at the end.

    Args:
        path: where the weights go.
        phases: how to train, one after the other.
        start: a file of weights to start from, as this function saves them.
    """
    cifar10 = data.load("cifar10")
    split, validation = data.random_split(cifar10.train, (0.95, 0.05), seed=0)
    pixels = split.images.float() / 255
    mean, std = pixels.mean(dim=(0, 2, 3)).tolist(), pixels.std(dim=(0, 2, 3)).tolist()
    standardize = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])
    card = {"layers": json.dumps(SMALL), "mean": json.dumps(mean), "std": json.dumps(std)}
    card |= {"phases": json.dumps([asdict(phase) for phase in PHASES]), "data_sha256": cifar10.source.sha256}
    runtime.seed_everything(phases[0].seed)
    model = TwoTasks().to(runtime.current().device)
    if start is not None:
        model.network.load_state_dict(load_file(start))
    for phase in phases:
        for loss in train_phase(model, split, v2.Normalize(mean, std), phase):
            accuracy = training.evaluate(model.network, validation, standardize).accuracy
            save(model.network, card | {"validation_accuracy": f"{accuracy:.4f}"}, path)
            print(f"loss {loss:.3f} validation {accuracy:.2%} {time.perf_counter():.0f} s", flush=True)
    accuracy = training.evaluate(model.network, cifar10.test, standardize).accuracy
    save(model.network, card | {"test_accuracy": f"{accuracy:.4f}"}, path)
    print(f"test {accuracy:.2%}")


def train_phase(model: TwoTasks, split: data.Split, normalize: nn.Module, phase: Phase) -> Iterator[float]:
    """Train in place; yield the mean cross-entropy of the classes after each epoch."""
    generator = runtime.seed_everything(phase.seed)
    on_device = split.to(runtime.current().device)
    optimizer, schedule = training.make_optimizer(model, phase, phase.steps(len(split)))
    for _ in range(phase.epochs):
        yield train_epoch(model, on_device, normalize, optimizer, schedule, phase, generator)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--second-phase-of", type=Path, help="weights that the first phase left")
    asked = parser.parse_args()
    begun = asked.second_phase_of
    train(asked.output, PHASES[1:] if begun else PHASES, begun)
