"""How good a model's answers are: pure functions of tensors, where scikit-learn and SciPy have none."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Images of which differences are taken at once: those of a whole training split fill a third of a gigabyte.
_PART = 1000


def _require_scores(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(
            f"expected logits (N, K) and labels (N,) with N ≥ 1, "
            f"not {tuple(logits.shape)} and {tuple(labels.shape)}"
        )


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of rows whose largest logit is at the label.

    Args:
        logits: (N, K) floating point.
        labels: (N,) int64, 0 to K - 1.

    Returns:
        0 to 1.

    Raises:
        ValueError: the shapes do not fit, or there is no row.
    """
    _require_scores(logits, labels)
    return (logits.argmax(dim=1) == labels).cpu().double().mean().item()


def calibration_curve(logits: Tensor, labels: Tensor, bins: int = 15) -> dict[str, Tensor]:
    """Sort predictions by confidence into equally wide bins, and compare confidence with accuracy.

    Args:
        logits: (N, K) floating point.
        labels: (N,) int64.
        bins: how many bins of width 1 / bins cover 0 to 1.

    Returns:
        For each bin that holds a prediction: ``confidence`` and ``accuracy``, (B,) float64, 0 to 1, the
        means over the bin; ``share``: (B,) float64, its share of all predictions.
    """
    _require_scores(logits, labels)
    if bins < 1 or not logits.isfinite().all():
        raise ValueError(f"expected at least one bin, not {bins}, and logits that are all finite")
    logits, labels = logits.cpu().double(), labels.cpu()  # in this order: Apple's GPUs have no float64
    confidence, predictions = logits.softmax(dim=1).max(dim=1)
    which = (confidence * bins).ceil().long().clamp(1, bins) - 1
    counts = torch.bincount(which, minlength=bins)
    hits = torch.bincount(which, weights=(predictions == labels).double(), minlength=bins)
    sums = torch.bincount(which, weights=confidence, minlength=bins)
    used = counts > 0
    return {
        "confidence": sums[used] / counts[used],
        "accuracy": hits[used] / counts[used],
        "share": counts[used] / len(labels),
    }


def expected_calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Return the mean gap between confidence and accuracy, weighted by bin (Guo et al., 2017).

    Args:
        logits: (N, K) floating point.
        labels: (N,) int64.
        bins: see `calibration_curve`.

    Returns:
        0 (confidence equals accuracy in every bin) to 1.
    """
    curve = calibration_curve(logits, labels, bins)
    return (curve["share"] * (curve["confidence"] - curve["accuracy"]).abs()).sum().item()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature T that makes ``softmax(logits / T)`` most likely (Guo et al., 2017).

    Fit it on validation images. It changes how sure the model is, and no prediction.

    Args:
        logits: (N, K) floating point.
        labels: (N,) int64.

    Returns:
        T above 0: more than 1 for an overconfident model, less for one that hesitates.
    """
    _require_scores(logits, labels)
    logits = logits.cpu().double()
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(logits / log_temperature.exp(), labels.cpu())
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    return log_temperature.exp().item()


def reconstruction_error(images: Tensor, reconstructions: Tensor) -> float:
    """Return the mean squared difference per pixel, over all images.

    Args:
        images: (N, …) floating point; pixels from 0 to 1 make errors comparable across models.
        reconstructions: the same shape and scale.

    Returns:
        0 or more, in squared units of the pixels.

    Raises:
        ValueError: the shapes differ, there is no pixel, or the pixels are integers.
    """
    if images.shape != reconstructions.shape or images.numel() == 0:
        raise ValueError(
            f"expected one shape twice, not {tuple(images.shape)} and {tuple(reconstructions.shape)}"
        )
    if not (images.is_floating_point() and reconstructions.is_floating_point()):
        raise ValueError(
            f"expected floating-point pixels, not {images.dtype} and {reconstructions.dtype}: "
            "differences of uint8 wrap around at 0"
        )
    total = 0.0
    for some, restored in zip(images.split(_PART), reconstructions.split(_PART), strict=True):
        total += (some - restored).cpu().double().square_().sum().item()
    return total / images.numel()
