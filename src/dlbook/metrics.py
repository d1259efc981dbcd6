"""How good a model's answers are: pure functions of logits and labels."""

import math
from statistics import NormalDist

import torch
import torch.nn.functional as F
from torch import Tensor


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


def _require_share(correct: int, total: int) -> None:
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"{correct} correct of {total} is not a share")


def wilson_interval(correct: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return a confidence interval for a share, given a count of successes (Wilson, 1927).

    Unlike the share plus or minus two standard errors, it stays inside 0 to 1 and does not collapse
    when every trial succeeds.

    Args:
        correct: successes, 0 to ``total``.
        total: trials, at least 1.
        confidence: how often intervals made in this way hold the true share, between 0 and 1.

    Returns:
        The lower and the upper bound, each 0 to 1.

    Raises:
        ValueError: the counts do not fit, or the confidence lies outside 0 to 1.
    """
    _require_share(correct, total)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not at {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / total
    center = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return max(0.0, center - half), min(1.0, center + half)


def two_share_p_value(correct_a: int, correct_b: int, total: int) -> float:
    """Return how often two equally good models differ at least this much on ``total`` images each.

    The pooled two-sided z-test for two shares, which treats the two test runs as independent.

    Args:
        correct_a: successes of the first, 0 to ``total``.
        correct_b: successes of the second.
        total: trials of each.

    Returns:
        The two-sided p-value, 0 to 1; 1 where both are all right or all wrong.

    Raises:
        ValueError: the counts do not fit.
    """
    for correct in (correct_a, correct_b):
        _require_share(correct, total)
    pooled = (correct_a + correct_b) / (2 * total)
    standard_error = math.sqrt(pooled * (1 - pooled) * 2 / total)
    if standard_error == 0:
        return 1.0
    z = abs(correct_a - correct_b) / total / standard_error
    return 2 * (1 - NormalDist().cdf(z))


def confusion_matrix(predictions: Tensor, labels: Tensor, class_count: int) -> Tensor:
    """Count how often each class was taken for each other.

    Args:
        predictions: (N,) int64, 0 to ``class_count`` - 1.
        labels: (N,) int64, likewise.
        class_count: K.

    Returns:
        (K, K) int64: row = true class, column = predicted class.

    Raises:
        ValueError: the shapes differ, or a class is out of range.
    """
    if predictions.shape != labels.shape or predictions.ndim != 1:
        raise ValueError(f"expected (N,) twice, not {tuple(predictions.shape)} and {tuple(labels.shape)}")
    both = torch.stack([predictions, labels])
    if both.numel() and not (both.min() >= 0 and both.max() < class_count):
        raise ValueError(f"classes must lie in 0 to {class_count - 1}")
    cells = labels * class_count + predictions
    return torch.bincount(cells, minlength=class_count**2).reshape(class_count, class_count)


def per_class(confusion: Tensor) -> dict[str, Tensor]:
    """Return each class's precision, recall, F1 and count.

    Args:
        confusion: (K, K) counts, row = true class.

    Returns:
        ``precision``, ``recall`` and ``f1``: (K,) float64, 0 to 1, and 0 where undefined;
        ``images``: (K,) int64, the true members of each class.
    """
    confusion = confusion.cpu()
    hits = confusion.diagonal().double()
    predicted, true = confusion.sum(dim=0), confusion.sum(dim=1)
    return {
        "precision": hits / predicted.clamp(min=1),
        "recall": hits / true.clamp(min=1),
        "f1": 2 * hits / (predicted + true).clamp(min=1),
        "images": true,
    }


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
    return (images - reconstructions).cpu().double().square().mean().item()
