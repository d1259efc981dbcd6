"""Figures about classifiers: their data, their training, their mistakes, their confidence."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike
from torch import Tensor

from dlbook.metrics import calibration_curve
from dlbook.training import History
from dlbook.visualize import BLUE, GRAY, GREEN, ORANGE, PURPLE, axes_or_new, subplots


def class_balance(splits: Mapping[str, Tensor], classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """Draw each class's share in one or more splits, as grouped bars.

    Args:
        splits: name → labels (N,) int64.
        classes: the name of each label.
        ax: where to draw; a new figure without it.
    """
    ax = axes_or_new(ax)
    width = 0.8 / len(splits)
    for number, ((name, labels), color) in enumerate(
        zip(splits.items(), (BLUE, ORANGE, GREEN, PURPLE), strict=False)
    ):
        shares = np.bincount(labels.cpu(), minlength=len(classes)) / len(labels)
        places = np.arange(len(classes)) + (number - (len(splits) - 1) / 2) * width
        ax.bar(places, shares, width, color=color, label=name)
    ax.axhline(1 / len(classes), color=GRAY, linewidth=1, linestyle="--", label="balanced")
    ax.set_xticks(range(len(classes)), classes)
    ax.grid(axis="x", visible=False)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="class", ylabel="share of the split")
    ax.legend(ncols=len(splits) + 1, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return ax


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
        color = shade if count else GRAY
        ax.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(len(classes)), classes)
    ax.set_yticks(range(len(classes)), classes)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted", ylabel="true")
    return ax


def reliability(models: Mapping[str, Tensor], labels: Tensor, ax: Axes | None = None) -> Axes:
    """Draw accuracy against confidence; a calibrated model lies on the diagonal.

    Args:
        models: name → logits (N, K).
        labels: (N,) int64.
        ax: where to draw; a new figure without it.
    """
    ax = axes_or_new(ax, width=4.6, height=4.2)
    ax.plot([0, 1], [0, 1], color=GRAY, linewidth=1, linestyle="--", label="calibrated")
    for (name, logits), color in zip(models.items(), (ORANGE, BLUE, GREEN), strict=False):
        curve = calibration_curve(logits, labels)
        ax.plot(curve["confidence"], curve["accuracy"], color=color, alpha=0.8)
        ax.scatter(
            curve["confidence"],
            curve["accuracy"],
            s=15 + 120 * curve["share"].sqrt(),
            color=color,
            label=name,
            alpha=0.8,
        )
    ax.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.02), ylim=(0, 1.05), aspect="equal")
    ax.legend(loc="upper left", frameon=False)
    return ax
