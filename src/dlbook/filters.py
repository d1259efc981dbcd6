"""Kernels: named ones, helpers around OpenCV, and edges to judge them by.

Images here are single-channel NumPy arrays (H, W), as OpenCV takes them; responses are float64, which
neither wraps nor clips. Rows count downward, so y points down the page.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]


def _fixed(rows: ArrayLike, divisor: float = 1.0) -> Array:
    """Return the rows as an array that nobody can change by accident."""
    kernel = np.array(rows, dtype=np.float64) / divisor
    kernel.setflags(write=False)
    return kernel


_DIFFERENCE = [-1, 0, 1]

# As correlation kernels, on OpenCV's scale. For a y kernel, take the transpose.
KERNELS: Mapping[str, Array] = MappingProxyType(
    {
        "identity": _fixed([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        "central difference x": _fixed([[0, 0, 0], _DIFFERENCE, [0, 0, 0]]),
        "Prewitt x": _fixed(np.outer([1, 1, 1], _DIFFERENCE)),
        "Sobel x": _fixed(np.outer([1, 2, 1], _DIFFERENCE)),
        "Sobel y": _fixed(np.outer(_DIFFERENCE, [1, 2, 1])),
        "Scharr x": _fixed(np.outer([3, 10, 3], _DIFFERENCE)),
        "Sobel 5×5 x": _fixed(np.outer([1, 4, 6, 4, 1], [-1, -2, 0, 2, 1])),
        "Laplacian": _fixed([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        "sharpen": _fixed([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        "emboss": _fixed([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
        "box blur": _fixed(np.ones((3, 3)), 9),
        "binomial blur": _fixed(np.outer([1, 2, 1], [1, 2, 1]), 16),
        "diagonal up": _fixed([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]),
        "diagonal down": _fixed([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]),
    }
)

# What lies beyond the border, as OpenCV calls it.
_BORDERS = {
    "zero": cv2.BORDER_CONSTANT,
    "replicate": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT_101,
}


def _checked(image: ArrayLike, kernel: ArrayLike) -> tuple[Array, Array]:
    """Return image and kernel as float64, or say why they do not fit."""
    pixels, weights = np.asarray(image, dtype=np.float64), np.asarray(kernel, dtype=np.float64)
    if pixels.ndim != 2:
        raise ValueError(
            f"expected an image (H, W), not {pixels.shape}: make a color image gray first, for example "
            "with cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)"
        )
    if weights.ndim != 2 or any(size % 2 == 0 for size in weights.shape):
        raise ValueError(f"a kernel has an odd number of rows and columns, so not {weights.shape}")
    if any(size // 2 >= length for size, length in zip(weights.shape, pixels.shape, strict=True)):
        raise ValueError(f"a kernel {weights.shape} reaches beyond the reflection of an image {pixels.shape}")
    return pixels, weights


def apply(image: ArrayLike, kernel: ArrayLike, border: str = "reflect") -> Array:
    """Cross-correlate with OpenCV's ``filter2D``, in float64, so that nothing is clipped.

    Args:
        image: (H, W), any real dtype and range.
        kernel: (h, w), both odd; its center lies on the pixel that the sum belongs to.
        border: ``"reflect"`` (without repeating the outermost pixel), ``"replicate"`` or ``"zero"``.

    Returns:
        (H, W) float64, ``out[r, c] = Σ kernel[i, j] · image[r + i - h//2, c + j - w//2]``.

    Raises:
        ValueError: a shape does not fit, or the border is unknown.
    """
    pixels, weights = _checked(image, kernel)
    if border not in _BORDERS:
        raise ValueError(f"unknown border {border!r}: choose one of {', '.join(_BORDERS)}")
    return cv2.filter2D(pixels, cv2.CV_64F, weights, borderType=_BORDERS[border]).astype(np.float64)


def gradient(image: ArrayLike, kernel_x: ArrayLike) -> tuple[Array, Array]:
    """Return how strongly an image rises at each pixel, and in which direction.

    Args:
        image: (H, W).
        kernel_x: the kernel for the slope along x; its transpose serves for y.

    Returns:
        The magnitude (H, W), in the kernel's units, and the direction (H, W) in radians from -π to π:
        0 where the image brightens to the right, π/2 where it brightens downward.
    """
    kernel = np.asarray(kernel_x)
    slope_x, slope_y = apply(image, kernel), apply(image, kernel.T)
    return np.hypot(slope_x, slope_y), np.arctan2(slope_y, slope_x)


def unit_slope(kernel: ArrayLike) -> Array:
    """Scale a derivative kernel so that a ramp that rises by 1 a pixel along x gives 1.

    Args:
        kernel: (h, w), with a response to such a ramp.

    Raises:
        ValueError: the kernel does not respond to a ramp, so it is no first derivative along x.
    """
    weights = np.asarray(kernel, dtype=np.float64)
    ramp = np.arange(weights.shape[1]) - weights.shape[1] // 2
    response = float((weights * ramp).sum())
    if abs(response) < 1e-12 * max(np.abs(weights).max(), 1e-300):
        raise ValueError("this kernel gives 0 on a ramp along x: it is no first derivative along x")
    return weights / response


def gaussian_derivative(sigma: float) -> Array:
    """Return the x derivative of a Gaussian, sampled to three standard deviations, with unit slope.

    Args:
        sigma: standard deviation in pixels, above 0.

    Returns:
        (n, n) with n odd.

    Raises:
        ValueError: sigma is not above 0.
    """
    if not sigma > 0:
        raise ValueError(f"sigma is a width in pixels above 0, not {sigma}")
    reach = math.ceil(3 * sigma)
    place = np.arange(-reach, reach + 1, dtype=np.float64)
    bell = np.exp(-(place**2) / (2 * sigma**2))
    return unit_slope(np.outer(bell, place * bell))


def frequency_response(kernel: ArrayLike, omega_x: ArrayLike, omega_y: ArrayLike) -> NDArray[np.complex128]:
    """Return what correlating with a kernel multiplies the wave ``exp(i(ωx·x + ωy·y))`` by.

    Args:
        kernel: (h, w), both odd.
        omega_x: angular frequencies in radians a pixel; π is the fastest that a grid can hold.
        omega_y: likewise, down the rows; broadcast against ``omega_x``.

    Returns:
        Complex, of the frequencies' common shape: its modulus scales the wave, its angle shifts it.
    """
    weights = np.asarray(kernel, dtype=np.float64)
    x, y = np.broadcast_arrays(np.asarray(omega_x, dtype=np.float64), np.asarray(omega_y, dtype=np.float64))
    total = np.zeros(x.shape, dtype=np.complex128)
    for (i, j), weight in np.ndenumerate(weights):
        down, right = i - weights.shape[0] // 2, j - weights.shape[1] // 2
        total += weight * np.exp(1j * (x * right + y * down))
    return total


def step_edges(size: int, angles: ArrayLike, offsets: ArrayLike, blur: float) -> Array:
    """Return images of one straight edge each, whose place is known to any fraction of a pixel.

    The edge is an ideal step from 0 to 1, blurred by a Gaussian and sampled at the pixels' centers:
    ``Φ(d / blur)``, where d is a pixel's distance from the edge and Φ the normal distribution function.

    Args:
        size: rows and columns; odd, so that there is a center pixel.
        angles: (N,) direction in which the image brightens, in radians as `gradient` gives it.
        offsets: (N,) distance of the edge from the center pixel along that direction, in pixels.
        blur: the Gaussian's standard deviation in pixels, above 0.

    Returns:
        (N, size, size) float64, 0 to 1.

    Raises:
        ValueError: the size is even, or the blur is not above 0.
    """
    if size % 2 == 0 or size < 1:
        raise ValueError(f"the size must be odd, so that there is a center pixel, not {size}")
    if not blur > 0:
        raise ValueError(f"blur is a width in pixels above 0, not {blur}")
    angle, offset = (np.asarray(values, dtype=np.float64)[:, None, None] for values in (angles, offsets))
    y, x = np.mgrid[:size, :size] - size // 2
    distance = x * np.cos(angle) + y * np.sin(angle) - offset
    return special.ndtr(distance / blur)


def subpixel_peaks(rows: ArrayLike) -> Array:
    """Return where each row is largest, to a fraction of a pixel: the top of a parabola through three points.

    Args:
        rows: (N, W) with W ≥ 3. A row's first and last value count as neighbors only.

    Returns:
        (N,) float64, as an index into the row.

    Raises:
        ValueError: the shape does not fit.
    """
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 3:
        raise ValueError(f"expected rows (N, W) with W ≥ 3, not {values.shape}")
    peak = values[:, 1:-1].argmax(axis=1) + 1
    index = np.arange(len(values))
    before, top, after = (values[index, peak + step] for step in (-1, 0, 1))
    bend = before - 2 * top + after
    shift = np.divide(before - after, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    # Where a row has no peak inside, its edge is the best that can be said: never a pixel beyond.
    return peak + shift.clip(-1, 1)
