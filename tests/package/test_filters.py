"""Kernels and computed edges: against SciPy, OpenCV, PyTorch and closed forms."""

import math

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, special

from dlbook import filters
from dlbook.filters import KERNELS

# filters.py's borders, as SciPy calls them.
SCIPY_MODES = {"zero": "constant", "replicate": "nearest", "reflect": "mirror"}


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (17, 23)).astype(np.uint8)


@pytest.mark.parametrize("border", SCIPY_MODES)
@pytest.mark.parametrize("shape", [(3, 3), (1, 5), (7, 3)])
def test_filtering_agrees_with_scipy(image, border, shape):
    kernel = np.random.default_rng(1).normal(size=shape)
    expected = ndimage.correlate(image.astype(float), kernel, mode=SCIPY_MODES[border])
    response = filters.apply(image, kernel, border)
    assert response.dtype == np.float64
    np.testing.assert_allclose(response, expected, atol=1e-9)


def test_nothing_is_clipped(image):
    response = filters.apply(image, KERNELS["Sobel x"])
    assert response.min() < 0
    assert response.max() > 255
    np.testing.assert_array_equal(
        response.clip(0, 255).astype(np.uint8), cv2.filter2D(image, -1, KERNELS["Sobel x"])
    )


def test_it_is_what_a_convolution_layer_computes(image):
    pixels = torch.tensor(image).double()[None, None]
    weights = torch.tensor(KERNELS["emboss"])[None, None]
    expected = F.conv2d(pixels, weights, padding=1)[0, 0].numpy()
    np.testing.assert_array_equal(filters.apply(image, KERNELS["emboss"], "zero"), expected)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Sobel x", {"dx": 1, "dy": 0, "ksize": 3}),
        ("Sobel y", {"dx": 0, "dy": 1, "ksize": 3}),
        ("Scharr x", {"dx": 1, "dy": 0, "ksize": cv2.FILTER_SCHARR}),
        ("Sobel 5×5 x", {"dx": 1, "dy": 0, "ksize": 5}),
    ],
)
def test_named_derivatives_are_those_of_opencv(image, name, arguments):
    expected = cv2.Sobel(image, cv2.CV_64F, **arguments)
    np.testing.assert_array_equal(filters.apply(image, KERNELS[name]), expected)


def test_other_named_kernels_are_those_of_opencv(image):
    for name, expected in (
        ("Laplacian", cv2.Laplacian(image, cv2.CV_64F, ksize=1)),
        ("box blur", cv2.blur(image.astype(float), (3, 3))),
        ("binomial blur", cv2.GaussianBlur(image.astype(float), (3, 3), 0)),
    ):
        np.testing.assert_allclose(filters.apply(image, KERNELS[name]), expected, atol=1e-9)


def test_a_kernel_either_keeps_flat_areas_or_erases_them():
    keeps = {"identity", "sharpen", "emboss", "box blur", "binomial blur"}
    for name, kernel in KERNELS.items():
        assert kernel.sum() == pytest.approx(1 if name in keeps else 0, abs=1e-12), name


def test_named_kernels_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        KERNELS["Sobel x"][0, 0] = 5


@pytest.mark.parametrize("degrees", [0, 30, 90, 180, -120])
def test_the_gradient_points_to_the_bright_side(degrees):
    angle = math.radians(degrees)
    y, x = np.mgrid[:9, :9]
    ramp = 3 * (x * math.cos(angle) + y * math.sin(angle))
    magnitude, direction = filters.gradient(ramp, filters.unit_slope(KERNELS["Scharr x"]))
    assert magnitude[4, 4] == pytest.approx(3)
    assert math.cos(direction[4, 4] - angle) == pytest.approx(1)


def test_unit_slope_measures_a_slope_and_keeps_its_sign():
    ramp = np.tile(5.0 * np.arange(9), (9, 1))
    for kernel in (KERNELS["Sobel x"], -KERNELS["Sobel x"], KERNELS["Sobel 5×5 x"]):
        assert filters.apply(ramp, filters.unit_slope(kernel))[4, 4] == pytest.approx(5)


@pytest.mark.parametrize("sigma", [0.5, 1, 2.5])
def test_a_gaussian_derivative_is_scipys_up_to_scale(sigma):
    kernel = filters.gaussian_derivative(sigma)
    impulse = np.zeros(kernel.shape)
    impulse[kernel.shape[0] // 2, kernel.shape[1] // 2] = 1
    reach = kernel.shape[0] // 2
    expected = -ndimage.gaussian_filter(impulse, sigma, order=(0, 1), radius=reach, mode="constant")
    np.testing.assert_allclose(kernel / kernel.max(), expected / expected.max(), atol=1e-12)


@given(seed=st.integers(0, 1000), rows=st.sampled_from([1, 3, 5]), columns=st.sampled_from([1, 3, 7]))
@settings(max_examples=20, deadline=None)
def test_the_frequency_response_is_the_fourier_transform(seed, rows, columns):
    kernel = np.random.default_rng(seed).normal(size=(rows, columns))
    size = 16
    # Correlating with a kernel is convolving with the turned one; its center belongs at index 0.
    turned = np.zeros((size, size))
    turned[:rows, :columns] = kernel[::-1, ::-1]
    expected = np.fft.fft2(np.roll(turned, (-(rows // 2), -(columns // 2)), axis=(0, 1)))
    omega = 2 * np.pi * np.fft.fftfreq(size)
    response = filters.frequency_response(kernel, omega[None], omega[:, None])
    np.testing.assert_allclose(response, expected, atol=1e-12)


def test_an_edge_is_where_it_was_put():
    """On the edge the value is one half; a blur away from it, what the normal distribution says."""
    for offset in (-0.3, 0.0, 0.4):
        row = filters.step_edges(9, [0.0], [offset], 0.7)[0, 4]
        np.testing.assert_allclose(row, special.ndtr((np.arange(9) - 4 - offset) / 0.7), atol=1e-12)
    downward = filters.step_edges(9, [np.pi / 2], [1.0], 0.7)[0]
    np.testing.assert_allclose(downward[5], 0.5, atol=1e-12)
    assert (downward[8] > downward[0]).all()


def test_edges_come_one_for_each_angle():
    angles = np.linspace(0, 2, 4)
    edges = filters.step_edges(5, angles, np.zeros(4), 1.0)
    assert edges.shape == (4, 5, 5)
    for edge, angle in zip(edges, angles, strict=True):
        np.testing.assert_array_equal(edge, filters.step_edges(5, [angle], [0.0], 1.0)[0])


def test_the_top_of_a_parabola_is_found_exactly():
    tops = np.array([2.0, 2.3, 2.5, 3.45])
    rows = -((np.arange(6) - tops[:, None]) ** 2)
    np.testing.assert_allclose(filters.subpixel_peaks(rows), tops)


def test_a_row_without_a_peak_stays_inside():
    found = filters.subpixel_peaks([[1.0, 1, 1, 1], [0, 1, 2, 3], [9, 1, 0, 0]])
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 3)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: filters.apply(np.zeros((4, 4, 3)), KERNELS["Sobel x"]), "cvtColor"),
        (lambda: filters.apply(np.zeros((9, 9)), np.ones((2, 3))), "odd number"),
        (lambda: filters.apply(np.zeros((2, 9)), np.ones((5, 3))), "reaches beyond"),
        (
            lambda: filters.apply(np.zeros((9, 9)), np.ones((3, 3)), "wrap"),
            "zero, replicate, reflect",
        ),
        (lambda: filters.unit_slope(KERNELS["Laplacian"]), "no first derivative"),
        (lambda: filters.unit_slope(KERNELS["Sobel y"]), "no first derivative"),
        (lambda: filters.gaussian_derivative(0), "above 0"),
        (lambda: filters.step_edges(4, [0], [0], 1), "odd"),
        (lambda: filters.step_edges(5, [0], [0], 0), "above 0"),
        (lambda: filters.subpixel_peaks(np.zeros((3, 2))), "W ≥ 3"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, message):
    with pytest.raises(ValueError, match=message):
        call()
