"""The recipe that made ``vgg_cifar10.safetensors``: a small VGG learns CIFAR-10.

Run ``python -m dlbook.weights.train_vgg_cifar10 OUTPUT.safetensors``. About an hour on two cores.

In the first of four phases, each step shows the network two random views of every image. It must name
the class of both, and must recognize, among all views of the batch, which two are of one image (Chen et
al., 2020). The second task is meant to keep what tells images apart beyond the ten classes, which is what
other tasks may need. The other phases are for the classes alone, on images that are shifted and mirrored,
and in the third one partly hidden. The mean of the weights after these three is what is shipped (Izmailov
et al., 2018).
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.transforms import v2

from dlbook import data, models, runtime
from dlbook.data.augment import Augment
from dlbook.models.vgg import SMALL, VGG
from dlbook.recipes import AdamW, CrossEntropy, Loss, Recipe
from dlbook.training import Feed, evaluate, fit, make_optimizer, train_epoch

# What hides a part of an image: about the mean of all of them.
GRAY = 120
CODE_SIZE = 64


@dataclass(frozen=True)
class Phase(Recipe):
    """A recipe for one or two tasks, in bfloat16 unless it says otherwise.

    Attributes:
        contrastive_weight: of the second task's loss, against 1 for the classes'; 0 for the classes alone.
        temperature: by which the second task divides cosine similarities.
        hidden_side: of the square that is hidden in each image, in pixels; for the classes alone.
        seed: of the weights, the order and the views.
    """

    bfloat16: bool = True
    contrastive_weight: float = 0.0
    temperature: float = 0.2
    hidden_side: int = 0
    seed: int = 0


PHASES = (
    Phase(
        epochs=13,
        batch_size=128,
        peak_learning_rate=3e-3,
        optimizer=AdamW(weight_decay=0.05),
        contrastive_weight=0.3,
    ),
    Phase(
        epochs=16,
        batch_size=128,
        peak_learning_rate=2e-3,
        optimizer=AdamW(weight_decay=0.05),
        loss=CrossEntropy(label_smoothing=0.1),
        validation_loss=CrossEntropy(),
        seed=1,
    ),
    Phase(
        epochs=10,
        batch_size=128,
        peak_learning_rate=1.5e-3,
        optimizer=AdamW(weight_decay=0.2),
        loss=CrossEntropy(label_smoothing=0.1),
        validation_loss=CrossEntropy(),
        hidden_side=12,
        seed=2,
    ),
    Phase(
        epochs=5,
        batch_size=128,
        peak_learning_rate=6e-4,
        optimizer=AdamW(weight_decay=0.05),
        loss=CrossEntropy(label_smoothing=0.1),
        validation_loss=CrossEntropy(),
        seed=3,
    ),
)


def random_views(
    images: Tensor, generator: torch.Generator, smallest: float = 0.4, light: float = 1.0
) -> Tensor:
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
        codes: (2 N, D) float32; row n and row n + N are views of one image.
        temperature: above 0; smaller weighs the most similar strangers more.
    """
    codes = F.normalize(codes, dim=1)
    similarity = codes @ codes.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(codes), dtype=torch.bool, device=codes.device), -1e4)
    partner = torch.arange(len(codes), device=codes.device).roll(len(codes) // 2)
    return F.cross_entropy(similarity, partner)


class TwoTasks(nn.Module):
    """The network, and the two layers that only the second task uses."""

    def __init__(self, network: VGG) -> None:
        super().__init__()
        self.network = network
        width = network.feature_count
        self.code = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, CODE_SIZE))

    def forward(self, views: Tensor) -> Tensor:
        """Return logits, and behind them codes, (N, 10 + 64) for standardized views (N, 3, H, W)."""
        features = self.network.penultimate(views.contiguous(memory_format=torch.channels_last))
        return torch.cat([self.network.classifier(features).float(), self.code(features).float()], dim=1)


def two_losses(phase: Phase) -> Loss:
    """Return the loss of both tasks, for the output of `TwoTasks`."""

    def loss(output: Tensor, views: Tensor, labels: Tensor) -> Tensor:
        logits, codes = output[:, :-CODE_SIZE], output[:, -CODE_SIZE:]
        of_classes = phase.loss(logits, views, labels.repeat(2))
        return of_classes + phase.contrastive_weight * contrastive_loss(codes, phase.temperature)

    return loss


def two_views(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return two random views (2 N, C, H, W), 0 to 1, of images (N, C, H, W), the second behind the first."""
    return torch.cat([random_views(images, generator) for _ in range(2)]) / 255


def hiding(side: int, first: Augment) -> Augment:
    """Return an augmentation that does another one first, and then hides a square (DeVries & Taylor, 2017).

    Args:
        side: of the square, in pixels; its corner lies anywhere from half of it outside the image.
        first: the other augmentation.

    Returns:
        A function from uint8 images (B, C, H, W) and the CPU generator to draw from, to such images.
    """

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        images = first(images, generator)
        count, _, height, width = images.shape
        top, left = torch.randint(
            -side // 2, min(height, width) - side // 2, (2, count, 1, 1, 1), generator=generator
        ).to(images.device)
        rows = torch.arange(height, device=images.device)[:, None]
        columns = torch.arange(width, device=images.device)
        hidden = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
        return images.masked_fill(hidden, GRAY)

    return augment


def save(network: VGG, metadata: dict[str, str], path: Path) -> None:
    """Write the weights as float16, under their final name only when they are whole."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in network.state_dict().items()
    }
    draft = path.with_suffix(".draft")
    save_file(tensors, draft, metadata)
    os.replace(draft, path)


def train(path: Path, phases: Sequence[Phase] = PHASES) -> None:
    """Train on CIFAR-10, save after every phase, and go on from what was saved; test at the end.

    Args:
        path: where the weights go.
        phases: how to train, one after the other.
    """
    cifar10 = data.load("cifar10")
    split, validation = data.random_split(cifar10.train, (0.95, 0.05), seed=0)
    pixels = split.images.float() / 255
    mean, std = pixels.mean(dim=(0, 2, 3)).tolist(), pixels.std(dim=(0, 2, 3)).tolist()
    standardize = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])
    feed = Feed(split, validation, standardize)
    card = {"layers": json.dumps(SMALL), "mean": json.dumps(mean), "std": json.dumps(std)}
    card |= {"phases": describe(phases), "data_sha256": cifar10.source.sha256}
    runtime.seed_everything(phases[0].seed)
    network, ends = VGG(SMALL), []
    for phase in phases:
        if phase.contrastive_weight:
            for loss in train_two_tasks(network, feed, phase):
                print(f"loss {loss:.3f}, {time.perf_counter():.0f} s", flush=True)
        else:
            train_classes(network, feed, phase)
        accuracy = evaluate(network, validation, feed.transform).accuracy
        save(network, card | {"validation_accuracy": f"{accuracy:.4f}"}, path)
        network.load_state_dict(load_file(path))
        if not phase.contrastive_weight:
            ends.append(models.copy_weights(network))
        print(f"validation {accuracy:.2%}", flush=True)
    average(network, ends, feed)
    accuracy = evaluate(network, cifar10.test, feed.transform).accuracy
    save(network, card | {"test_accuracy": f"{accuracy:.4f}"}, path)
    print(f"test {accuracy:.2%}")


def describe(phases: Sequence[Phase]) -> str:
    """Return the phases as JSON, what they are put together from by its name and settings."""
    return json.dumps(
        [vars(phase) for phase in phases], default=lambda part: getattr(part, "__name__", str(part))
    )


def average(network: VGG, ends: Sequence[Mapping[str, Tensor]], feed: Feed) -> None:
    """Give the network the mean of several weights, and batch statistics that suit it.

    The mean of the running statistics would not: they are measured anew, on 10,000 augmented images.
    """
    means = {
        name: torch.stack([end[name] for end in ends]).mean(dim=0) if tensor.is_floating_point() else tensor
        for name, tensor in ends[0].items()
    }
    network.load_state_dict(means)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over all batches
    feed = replace(feed, augment=data.crop_and_flip(padding=4))
    network.train()
    with torch.no_grad():
        shuffled = feed.batches(500, torch.Generator().manual_seed(0))
        for images, _ in itertools.islice(shuffled, 20):
            network(images.to(models.device_of(network)))
    network.eval()


def train_two_tasks(network: VGG, feed: Feed, phase: Phase) -> Iterator[float]:
    """Train in place on two views of each image; yield the mean loss of both tasks after each epoch."""
    generator = runtime.seed_everything(phase.seed)
    device = runtime.current().device
    model, feed = TwoTasks(network).to(device), replace(feed, augment=two_views).to(device)
    recipe = replace(phase, loss=two_losses(phase))
    optimizer, schedule = make_optimizer(model.parameters(), recipe, recipe.steps(len(feed.train)))
    for _ in range(phase.epochs):
        views = feed.batches(phase.batch_size, generator)
        yield train_epoch(model, views, recipe, optimizer, schedule).mean().item()


def train_classes(network: VGG, feed: Feed, phase: Phase) -> None:
    """Train in place, with the loop of the book."""
    augment = data.crop_and_flip(padding=4)
    if phase.hidden_side:
        augment = hiding(phase.hidden_side, augment)
    fit(network, replace(feed, augment=augment), phase, phase.seed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    train(parser.parse_args().output)
