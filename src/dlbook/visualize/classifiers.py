"""Figures about classifiers: their data, their training, their mistakes, their confidence."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike
from scipy.stats import binomtest
from torch import Tensor

from dlbook.metrics import calibration_curve
from dlbook.training import History
from dlbook.visualize import BLUE, GRAY, GREEN, ORANGE, axes_or_new, subplots


def learning_curves(histories: Sequence[History]) -> Figure:
    """Draw loss and validation accuracy by epoch: a thin line a seed, a thick one for the mean.

    Args:
        histories: of classifiers' runs with the same number of epochs.
    """
    figure, (left, right) = subplots(2)
    epochs = range(1, len(histories[0].train_loss) + 1)
    for attribute, label, color, ax in (
        ("train_loss", "training", BLUE, left),
        ("validation_loss", "validation", ORANGE, left),
        ("validation_score", "validation", ORANGE, right),
    ):
        curves = np.array([getattr(history, attribute) for history in histories])
        ax.plot(epochs, curves.T, color=color, linewidth=0.7, alpha=0.4)
        ax.plot(epochs, curves.mean(axis=0), color=color, linewidth=2, label=label)
    left.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    right.set(xlabel="epoch", ylabel="accuracy")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    for ax in (left, right):
        ax.legend(frameon=False)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def confusion(matrix: ArrayLike, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: the color shows the mistakes only, the numbers show all counts.

    Args:
        matrix: (K, K) counts, row = true class, column = predicted class, as scikit-learn's
            ``confusion_matrix`` returns them.
        classes: the name of each class.
        ax: where to draw; a new figure without it.
    """
    ax = axes_or_new(ax, width=5.6, height=5.2)
    counts = np.asarray(matrix)
    mistakes = counts - np.diag(counts.diagonal())
    ax.imshow(mistakes, cmap="Oranges", vmax=max(1, mistakes.max()))
    threshold = mistakes.max() * 0.6
    for (row, column), count in np.ndenumerate(counts):
        shade = "white" if mistakes[row, column] > threshold else "black"
        strength = 1 if count else 0.6
        ax.text(column, row, f"{count}", ha="center", va="center", color=shade, alpha=strength, fontsize=9)
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), classes)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted", ylabel="true")
    return ax


def reliability(models: Mapping[str, Tensor], labels: Tensor, ax: Axes | None = None) -> Axes:
    """Draw accuracy against confidence, with the 95% interval of each bin (Wilson, 1927).

    A calibrated model lies on the diagonal, and about one interval in twenty misses it by chance.

    Args:
        models: name → logits (N, K).
        labels: (N,) int64.
        ax: where to draw; a new figure without it.
    """
    ax = axes_or_new(ax, width=4.6, height=4.2)
    ax.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--", label="calibrated")
    for (name, logits), color in zip(models.items(), (ORANGE, BLUE, GREEN), strict=False):
        curve = calibration_curve(logits, labels)
        totals = (curve["share"] * len(labels)).round().int().tolist()
        hits = (curve["accuracy"] * curve["share"] * len(labels)).round().int().tolist()
        bounds = [
            binomtest(hit, total).proportion_ci(method="wilson")
            for hit, total in zip(hits, totals, strict=True)
        ]
        ax.vlines(curve["confidence"], *zip(*bounds, strict=True), color=color, linewidth=1.2)
        ax.scatter(
            curve["confidence"],
            curve["accuracy"],
            s=15 + 120 * curve["share"].sqrt(),
            color=color,
            label=name,
            alpha=0.8,
        )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
    ax.legend(loc="upper left", frameon=False)
    return ax
