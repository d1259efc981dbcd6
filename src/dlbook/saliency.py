"""Which part of an image a prediction rests on: maps, and a test of whether a map can be believed."""

import copy
from collections.abc import Iterable

import torch
from scipy import stats
from torch import Tensor, nn

from dlbook.activations import capture


def grad_cam(model: nn.Module, layer: str, images: Tensor, classes: Tensor) -> Tensor:
    """Return Grad-CAM maps (Selvaraju et al., 2017), before the final ReLU.

    Each channel of the layer is weighted by the mean gradient of the class's logit over that channel,
    and the channels are summed. Above 0 speaks for the class, below 0 against it; ``clamp(min=0)``
    gives the map as published.

    Args:
        model: from images to logits (N, K), in evaluation mode.
        layer: a name of a layer that puts out maps (N, C, h, w).
        images: (N, ...) as the model takes them.
        classes: (N,) int64, the class whose logit to explain, for each image.

    Returns:
        (N, h, w) floats, on the scale of the logits.
    """
    with torch.enable_grad(), capture(model, [layer], keep_graph=True) as outputs:
        # Images that require gradients give the layer some, even in a network that is frozen.
        logits = model(images.detach().clone().requires_grad_())
        chosen = logits.gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(chosen, outputs[layer])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * outputs[layer]).sum(dim=1).detach()


@torch.no_grad()
def occlusion(
    model: nn.Module, images: Tensor, classes: Tensor, patch: int, step: int, fill: float = 0.0
) -> Tensor:
    """Cover a patch of each image, and return how far the class's logit falls (Zeiler & Fergus, 2014).

    Args:
        model: from images to logits (N, K), in evaluation mode.
        images: (N, C, H, W) as the model takes them.
        classes: (N,) int64, the class whose logit to watch, for each image.
        patch: side of the square that is covered, in pixels.
        step: how far the square moves, in pixels.
        fill: what it is covered with; 0 is the mean of standardized images.

    Returns:
        (N, h, w) floats: above 0 where covering the patch speaks against the class. Each entry belongs
        to a patch; h = (H - patch) // step + 1.

    Raises:
        ValueError: the patch does not fit the image, or the step is below 1.
    """
    height, width = images.shape[2:]
    if not 1 <= patch <= min(height, width) or step < 1:
        raise ValueError(f"a patch of {patch} with step {step} does not fit images of {height}×{width}")
    tops = range(0, height - patch + 1, step)
    lefts = range(0, width - patch + 1, step)
    whole = model(images).gather(1, classes[:, None])
    drops = []
    for top in tops:
        for left in lefts:
            covered = images.clone()
            covered[:, :, top : top + patch, left : left + patch] = fill
            drops.append(whole - model(covered).gather(1, classes[:, None]))
    return torch.cat(drops, dim=1).reshape(len(images), len(tops), len(lefts))


def randomize(model: nn.Module, layers: Iterable[str], seed: int = 0) -> nn.Module:
    """Return a copy of a model in which some layers are as before training.

    Args:
        model: stays as it is.
        layers: names of the layers to draw anew; normalization layers forget their statistics too.
        seed: of the draw.

    Raises:
        ValueError: a layer has nothing to draw.
    """
    changed = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in layers:
            reset = getattr(changed.get_submodule(name), "reset_parameters", None)
            if reset is None:
                raise ValueError(f"layer {name!r} has no weights to draw anew")
            reset()
    return changed


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return Spearman's rank correlation of two maps, image by image; ties share their mean rank.

    Args:
        first: (N, ...) floats.
        second: of the same shape.

    Returns:
        (N,) float64, -1 to 1; NaN where a map is constant.

    Raises:
        ValueError: the shapes differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"maps of one shape are needed, not {tuple(first.shape)} and {tuple(second.shape)}")
    values = torch.stack([first, second]).flatten(2).cpu()
    ranks = torch.from_numpy(stats.rankdata(values, axis=2))
    centered = ranks - ranks.mean(dim=2, keepdim=True)
    return (centered[0] * centered[1]).sum(1) / centered.square().sum(2).prod(0).sqrt()
