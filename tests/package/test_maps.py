"""Figures of maps: one scale for all of them, zero in the middle."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from dlbook.visualize import maps


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_all_rows_share_one_scale_with_zero_in_the_middle():
    rows = {"before": torch.tensor([[[-4.0, 1.0]], [[0.0, 2.0]]]), "after": torch.ones(2, 1, 2)}
    figure = maps.map_rows(rows, ["a", "b"], label="response")
    shown = [ax.images[0] for ax in figure.axes if ax.images]
    assert [image.get_clim() for image in shown] == [(-4, 4)] * 4
    assert [ax.get_title() for ax in figure.axes[:2]] == ["a", "b"]
    assert figure.axes[2].get_ylabel() == "after"


def test_a_limit_can_be_given():
    figure = maps.map_rows({"a": torch.ones(1, 2, 2)}, limit=9)
    assert figure.axes[0].images[0].get_clim() == (-9, 9)


def test_rows_and_titles_must_fit():
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        maps.map_rows({"a": torch.ones(3, 2, 2)}, ["a", "b"])


def test_an_overlay_is_as_large_as_its_image_and_opaque_where_the_map_is_large():
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    values = torch.zeros(2, 4, 4)
    values[:, 0, 0], values[:, 3, 3] = 2, -1
    figure = maps.overlays(images, {"map": values}, ["x", "y"])
    shown = figure.axes[2].images[1]
    assert shown.get_array().shape == (8, 8)
    assert shown.get_array()[0, 0] == 1
    assert shown.get_alpha()[0, 0] > shown.get_alpha()[7, 7] > shown.get_alpha()[4, 4] == 0


def test_a_map_is_laid_where_its_values_belong():
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    values = torch.zeros(1, 7, 7)
    values[0, 2, 5] = 1  # the patch whose middle is at 3.5 + 2 · 4 down and 3.5 + 5 · 4 to the right
    figure = maps.overlays(images, {"covered": values}, centers={"covered": (3.5, 4)})
    shown = np.asarray(figure.axes[1].images[1].get_array())
    places = np.arange(32)
    assert (shown.sum(1) * places).sum() / shown.sum() == pytest.approx(11.5)
    assert (shown.sum(0) * places).sum() / shown.sum() == pytest.approx(23.5)


def test_without_centers_a_map_is_enlarged_as_torch_does():
    images = torch.zeros(1, 3, 32, 24, dtype=torch.uint8)
    values = torch.randn(1, 8, 6, generator=torch.Generator().manual_seed(0))
    figure = maps.overlays(images, {"map": values})
    expected = torch.nn.functional.interpolate(values[:, None], (32, 24), mode="bilinear")[0, 0]
    shown = torch.from_numpy(np.asarray(figure.axes[1].images[1].get_array()))
    torch.testing.assert_close(shown, expected / expected.abs().max())
