"""Figures: that they show what they were given."""

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import nbclient
import nbformat
import numpy as np
import pytest
import torch
from bookbuild.run.isolation import OwnKernelManager

from dlbook import visualize
from dlbook.training import History
from dlbook.visualize import classifiers


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_axes_come_one_row_after_the_other():
    figure, axes = visualize.subplots(3, rows=2)
    figure.draw_without_rendering()
    corners = [(round(-ax.get_position().y0, 3), round(ax.get_position().x0, 3)) for ax in axes]
    assert len(set(corners)) == 6
    assert corners == sorted(corners)


def test_a_grid_shows_every_image_on_one_scale():
    images = torch.stack([torch.full((1, 2, 2), value) for value in (0.0, 1.0, 4.0)])
    figure = visualize.image_grid(images, titles=["a", "b", "c"], columns=2)
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == ["a", "b", "c"]
    shades = [ax.images[0].norm(ax.images[0].get_array()).max() for ax in shown]
    assert shades == pytest.approx([0, 0.25, 1])


def test_titles_of_two_lines_stand_clear_of_the_images():
    black = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    figure = visualize.image_grid(black, titles=["sure of\ngypsy"], size=1.2)
    figure.canvas.draw()
    top = figure.axes[0].get_window_extent().y1
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].min(axis=2)[::-1]  # the first row is the lowest
    above = pixels[round(top) + 1 :].min(axis=1)
    points = 72 / figure.dpi * np.flatnonzero(above < 200)[0]
    assert points >= 1


def test_a_signed_grid_puts_zero_in_the_middle():
    figure = visualize.image_grid(torch.tensor([[[[-1.0, 0.0, 3.0]]]]), signed=True)
    assert figure.axes[0].images[0].get_clim() == (-3, 3)


def test_colors_keep_their_order():
    images = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    images[:, 0] = 255
    shown = visualize.image_grid(images).axes[0].images[0].get_array()
    assert shown[0, 0].tolist() == [255, 0, 0]


def test_a_grid_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match="1 or 3"):
        visualize.image_grid(torch.zeros(1, 2, 4, 4))
    with pytest.raises(ValueError, match="1 titles"):
        visualize.image_grid(torch.zeros(2, 1, 4, 4), titles=["a"])


def test_learning_curves_draw_every_run_and_the_mean():
    runs = [
        History(seed, [], train_loss=[2.0, 1 + seed], validation_loss=[1, 1], validation_score=[0, 1])
        for seed in (0, 2)
    ]
    loss, accuracy = classifiers.learning_curves(runs).axes
    assert len(loss.lines) == 6
    assert len(accuracy.lines) == 3
    assert list(loss.lines[2].get_ydata()) == [2, 2]


def test_a_confusion_matrix_shows_every_count_and_colors_mistakes_only():
    ax = classifiers.confusion(torch.tensor([[9, 1], [0, 7]]), "ab")
    assert [text.get_text() for text in ax.texts] == ["9", "1", "0", "7"]
    assert ax.images[0].get_array().tolist() == [[0, 1], [0, 0]]


def test_intervals_and_reliability_take_an_axes():
    _, (left, right) = visualize.subplots(2)
    assert visualize.intervals({"a": (0.5, 0.4, 0.6)}, ax=left) is left
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    assert classifiers.reliability({"net": logits}, torch.tensor([0, 1]), ax=right) is right
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["calibrated", "net"]


def test_a_reliability_diagram_has_the_interval_of_each_bin():
    # Ten answers given with 60%, of which six are right: by the tables of Wilson, 0.313 to 0.832.
    logits = torch.tensor([[0.6, 0.4]] * 10).log()
    ax = classifiers.reliability({"net": logits}, torch.tensor([0] * 6 + [1] * 4))
    lines, _ = ax.collections
    [(low, high)] = lines.get_segments()
    assert low.tolist() == pytest.approx([0.6, 0.313], abs=5e-4)
    assert high.tolist() == pytest.approx([0.6, 0.832], abs=5e-4)


def test_a_table_is_markdown():
    table = visualize.Table({"digit": ["0", "1"], "f1": np.array([0.5, 0.25]), "n": torch.tensor([1000, 2])})
    assert repr(table).splitlines() == [
        "| digit | f1 | n |",
        "| --: | --: | --: |",
        "| 0 | 0.5000 | 1,000 |",
        "| 1 | 0.2500 | 2 |",
    ]
    words = {"filter": ["3×3 Sobel", "none"], "size": ["-1.5 kB", "± 0.2%"], "kind": ["a", "1"]}
    marks = repr(visualize.Table(words)).splitlines()[1]
    assert marks == "| :-- | --: | :-- |"
    with pytest.raises(ValueError, match="length"):
        visualize.Table({"a": ["1"], "b": ["1", "2"]})


@pytest.mark.slow
def test_every_figure_of_a_notebook_appears_once():
    """Drawing inside a style context once kept all figures but the first from appearing."""
    cells = [
        "import torch\nfrom dlbook import visualize\nvisualize.image_grid(torch.zeros(1, 1, 2, 2));",
        "visualize.image_grid(torch.zeros(1, 1, 2, 2));",
        "from dlbook.visualize import classifiers\nclassifiers.confusion(torch.eye(2).long(), 'ab');",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, kernel_manager_class=OwnKernelManager).execute()
    pictures = [[o for o in cell.outputs if "image/png" in o.get("data", {})] for cell in notebook.cells]
    assert [len(found) for found in pictures] == [1, 1, 1]


@pytest.mark.slow
def test_a_new_machine_builds_its_font_cache_in_silence(tmp_path):
    """Matplotlib warns when that takes over five seconds; here, at once."""
    code = (
        "import threading\n"
        "class AtOnce:\n"
        "    def __init__(self, _, say): self.start = say\n"
        "    def cancel(self): pass\n"
        "threading.Timer = AtOnce\n"
        "import dlbook.visualize\n"
    )
    environment = {**os.environ, "MPLCONFIGDIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert list(tmp_path.glob("fontlist*"))
    assert run.stderr == ""
