"""Figures about kernels: that they show what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dlbook.visualize import kernels, subplots


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_every_number_stands_on_its_pixel_and_can_be_read():
    _, (ax,) = subplots()
    kernels.pixel_numbers([[0, 255], [-0.2, 7]], ax)
    found = {text.get_position(): (text.get_text(), text.get_color()) for text in ax.texts}
    assert found[0, 0] == ("0", "white")
    assert found[1, 0] == ("255", "black")
    assert found[0, 1] == ("0", "white")
    assert found[1, 1] == ("7", "white")


def test_signed_numbers_put_zero_in_the_middle():
    _, (ax,) = subplots()
    kernels.pixel_numbers([[-2.0, 0.0, 1.0]], ax, "g", limit=2)
    assert [text.get_text() for text in ax.texts] == ["−2", "0", "1"]
    assert ax.images[0].get_clim() == (-2, 2)
    assert [text.get_color() for text in ax.texts] == ["white", "black", "black"]


def test_responses_share_one_scale_around_zero():
    figure = kernels.response_maps({"a": np.array([[1.0, -4.0]]), "b": np.array([[0.5, 2.0]])})
    shown = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in shown] == ["a", "b"]
    assert {ax.images[0].get_clim() for ax in shown} == {(-4, 4)}
    figure = kernels.response_maps({"nothing": np.zeros((2, 2))}, limit=3)
    assert figure.axes[0].images[0].get_clim() == (-3, 3)


def test_grids_leave_no_empty_axes():
    figure = kernels.kernel_grid({name: np.eye(3) for name in "abc"}, columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c"]
    rows = [ax.get_subplotspec().rowspan.start for ax in figure.axes]
    assert rows == [0, 0, 1]


def test_gray_images_are_shown_as_they_are():
    figure = kernels.gray_images({"dark": np.full((2, 2), 10), "bright": np.full((2, 2), 200)})
    assert {ax.images[0].get_clim() for ax in figure.axes} == {(0, 255)}
