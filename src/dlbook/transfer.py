"""Transfer: what a frozen network sees, computed once, and a linear layer trained on it."""

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.transforms import v2

from dlbook import progress
from dlbook.data import Split, batches
from dlbook.data.batching import Transform
from dlbook.data.files import draft
from dlbook.models import device_of

_BATCH = 64

# From transformed images (B, C, H, W) to features (B, D).
Extract = Callable[[Tensor], Tensor]


class Frozen(nn.Module):
    """A network that training cannot move.

    Setting ``requires_grad`` to False is half of it: in training mode, batch normalization would still
    update its running statistics, and dropout would still drop. This wrapper stays in evaluation mode
    whatever mode its parent is put in, and records no gradient.

    Args:
        model: it is changed in place: no parameter requires a gradient anymore.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> "Frozen":
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return what the network returns."""
        return self.model(images)


def resized(split: Split, size: int) -> Split:
    """Return the split with its images at another size, on the split's device.

    Args:
        split: images of any height and width; what does not fit is squeezed, and nothing is cut off.
        size: the new height and width.
    """
    parts = [v2.functional.resize(part, [size, size], antialias=True) for part in split.images.split(256)]
    return replace(split, images=torch.cat(parts))


def changed_values(before: dict[str, Tensor], model: nn.Module) -> int:
    """Count the parameters and buffers, value by value, that differ from an earlier copy.

    Buffers hold the statistics of batch normalization, and how many batches they have seen.

    Args:
        before: from `dlbook.models.copy_weights`, earlier.
        model: the same model, now.

    Raises:
        ValueError: the copy is not one of this model.
    """
    now = model.state_dict()
    if {name: tensor.shape for name, tensor in before.items()} != {n: t.shape for n, t in now.items()}:
        raise ValueError("the copy has other names or shapes than the model: take it from the same model")
    return sum(int((before[name].to(now[name].device) != now[name]).sum()) for name in before)


@torch.no_grad()
def compute_features(model: nn.Module, extract: Extract, split: Split, transform: Transform) -> Tensor:
    """Return each image's features, in evaluation mode.

    Args:
        model: whose device to compute on, and which to keep in evaluation mode meanwhile.
        extract: a method of the model, such as `dlbook.models.vgg.VGG.penultimate`.
        split: images.
        transform: from images (B, C, H, W) uint8 to what the model takes.

    Returns:
        (N, D) float32 on the CPU, in the split's order.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    steps = progress.bar(range(0, len(split), _BATCH), desc="features", unit="batch")
    device = device_of(model)
    parts = []
    for start in steps:
        images, _ = next(batches(split[start : start + _BATCH].to(device), _BATCH, transform))
        parts.append(extract(images).float().cpu())
    for module, training in modes.items():
        module.training = training
    return torch.cat(parts)


def cached_features(
    model: nn.Module, extract: Extract, split: Split, transform: Transform, folder: Path
) -> Tensor:
    """Return `compute_features`, from a file where the same were computed before.

    The file's name is a checksum of all that the features depend on: weights, pixels, transform, method,
    device and whether autocast is on. Labels are no part of it. A folder that cannot be written is no
    error; nothing is kept then.

    Args:
        model: see `compute_features`, like the arguments that follow.
        extract: see there; a method or function with a name.
        split: see there.
        transform: see there; what it does must show in its ``repr``, as with torchvision's.
        folder: where the files are kept.

    Raises:
        ValueError: the transform's ``repr`` is only an address in memory, which says nothing of what it does.
    """
    path = folder / f"{_key(model, extract, split, transform)}.safetensors"
    with contextlib.suppress(OSError, KeyError, SafetensorError):
        return load_file(path)["features"]
    features = compute_features(model, extract, split, transform)
    with contextlib.suppress(OSError, SafetensorError), draft(path) as unfinished:
        save_file({"features": features}, unfinished)
    return features


def _key(model: nn.Module, extract: Extract, split: Split, transform: Transform) -> str:
    description = repr(transform)
    if " at 0x" in description:
        raise ValueError(
            f"{description} does not say what it does: give a torchvision transform, "
            "or an object whose repr names its settings"
        )
    name = getattr(extract, "__qualname__", type(extract).__qualname__)
    device = device_of(model)
    precision = torch.is_autocast_enabled(device.type)
    digest = hashlib.sha256(f"{name} {description} {device} {precision}".encode())
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    digest.update(split.images.cpu().contiguous().numpy().data)
    return digest.hexdigest()


def fit_probe(features: Tensor, labels: Tensor, class_count: int, weight_decay: float = 0.01) -> nn.Linear:
    r"""Return the linear layer that minimizes cross-entropy on fixed features.

    The features are standardized with their own mean and deviation, and the layer minimizes

    .. math:: \frac{1}{N} \sum_n -\log p_{y_n} + \frac{\lambda}{2 D} \lVert W \rVert^2

    The problem is convex, so the result depends on no seed. The standardization is then folded into
    the layer, which takes the features as they are.

    Args:
        features: (N, D) float.
        labels: (N,) int64, 0 to ``class_count`` - 1.
        class_count: K.
        weight_decay: λ, at least 0.

    Returns:
        A layer from D features to K logits, on the CPU, in float32.

    Raises:
        ValueError: the shapes do not fit, or the weight decay is negative.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1] or weight_decay < 0:
        raise ValueError(
            f"expected features (N, D), labels (N,) and a weight decay from 0 up, not "
            f"{tuple(features.shape)}, {tuple(labels.shape)} and {weight_decay}"
        )
    features = features.detach().double().cpu()
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    deviation = deviation.where(deviation > 1e-6, torch.ones_like(deviation))
    weight, bias = _minimize((features - mean) / deviation, labels.cpu(), class_count, weight_decay)
    probe = nn.Linear(features.shape[1], class_count)
    with torch.no_grad():
        probe.weight.copy_(weight / deviation)
        probe.bias.copy_(bias - (weight / deviation) @ mean)
    return probe


def _minimize(inputs: Tensor, labels: Tensor, class_count: int, weight_decay: float) -> tuple[Tensor, Tensor]:
    weight = inputs.new_zeros(class_count, inputs.shape[1], requires_grad=True)
    bias = inputs.new_zeros(class_count, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=500, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def closure() -> float:
        optimizer.zero_grad()
        penalty = weight_decay / (2 * inputs.shape[1]) * weight.square().sum()
        loss = F.cross_entropy(inputs @ weight.T + bias, labels) + penalty
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    return weight.detach(), bias.detach()


def per_class_sample(labels: Tensor, count: int | None, seed: int) -> Tensor:
    """Return the indices of ``count`` images of each class, drawn without replacement.

    Args:
        labels: (N,) int64.
        count: images a class; None for all images.
        seed: of the draw.

    Raises:
        ValueError: a class has fewer images.
    """
    if count is None:
        return torch.arange(len(labels))
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        if len(members) < count:
            raise ValueError(f"class {int(label)} has {len(members)} images, fewer than {count}")
        parts.append(members[torch.randperm(len(members), generator=generator)[:count]])
    return torch.cat(parts)
