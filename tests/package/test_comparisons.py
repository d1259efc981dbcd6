"""Rows of images, as they are drawn."""

import numpy as np
import pytest
import torch

from dlbook.visualize import comparisons


def drawn(figure) -> np.ndarray:
    return np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)


def test_every_image_stands_in_its_row_and_column():
    rows = {"first": torch.rand(3, 1, 4, 5), "second": torch.rand(3, 1, 4, 5)}
    figure = comparisons.image_rows(rows, titles=["a", "b", "c"])
    canvas = drawn(figure)
    assert canvas.shape == (2 * 4 + 2, 3 * 5 + 2 * 2)
    assert np.allclose(canvas[6:, 7:12], rows["second"][1, 0])
    assert np.isnan(canvas[4:6]).all()
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "c"]
    assert ax.images[0].get_clim() == (0, 1)


def test_signed_images_have_a_scale_each():
    figure = comparisons.image_rows({"row": torch.tensor([[[[-2.0, 1.0]]], [[[0.0, 0.5]]]])}, signed=True)
    assert drawn(figure)[0].tolist() == pytest.approx([-1, 0.5, np.nan, np.nan, 0, 1], nan_ok=True)


def test_it_refuses_rows_that_do_not_fit():
    with pytest.raises(ValueError, match="one shape"):
        comparisons.image_rows({"a": torch.rand(1, 1, 2, 2), "b": torch.rand(2, 1, 2, 2)})
    with pytest.raises(ValueError, match="1 titles"):
        comparisons.image_rows({"a": torch.rand(1, 1, 2, 2)}, titles=["x", "y"])
