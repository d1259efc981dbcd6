"""Linear subspaces: the one that holds most of the variance of some data, and the angles between two.

All is computed in double precision on the CPU, whatever the inputs are: differences between nearly equal
subspaces are lost in single precision.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PCA:
    """Principal component analysis: the subspace with the smallest squared reconstruction error.

    Attributes:
        mean: (P,) float64, the mean of the data it was fitted to.
        components: (K, P) float64, orthonormal rows, the direction of largest variance first. The entry
            of each row with the largest magnitude is positive.
        variances: (P,) float64, the variance along all directions, largest first, divided by N, not N - 1:
            those beyond the first K then sum to the squared error of a training row.
    """

    mean: Tensor
    components: Tensor
    variances: Tensor

    def encode(self, data: Tensor) -> Tensor:
        """Return codes (N, K) float64 for data (N, …) of P values a row."""
        return (_rows(data) - self.mean) @ self.components.T

    def decode(self, codes: Tensor) -> Tensor:
        """Return rows (N, P) float64 for codes (N, K)."""
        return codes @ self.components + self.mean

    def reconstruct(self, data: Tensor) -> Tensor:
        """Return the data as K numbers a row can tell it, (N, …) float64, in the shape of the data."""
        return self.decode(self.encode(data)).reshape(data.shape)


def fit_pca(data: Tensor, count: int) -> PCA:
    """Fit the first ``count`` principal components to data, by the eigenvectors of their covariance.

    Args:
        data: (N, …), N ≥ 2 rows of P values in all, on any scale.
        count: K, from 1 to P.

    Raises:
        ValueError: too few rows, or a count outside its range.
    """
    rows = _rows(data)
    if len(rows) < 2 or not 1 <= count <= rows.shape[1]:
        raise ValueError(
            f"expected at least 2 rows and 1 to {rows.shape[1]} components, not {len(rows)} and {count}"
        )
    mean, matrix = covariance(rows)
    variances, vectors = torch.linalg.eigh(matrix)  # smallest first
    components = vectors.T.flip(0)[:count]
    largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
    return PCA(mean, components * largest.sign(), variances.flip(0).clamp(min=0))


def covariance(data: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (P,) and the covariance (P, P), both float64, of data (N, …); divided by N."""
    rows = _rows(data)
    mean = rows.mean(dim=0)
    centered = rows - mean
    return mean, centered.T @ centered / len(rows)


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Return the principal angles between the spans of two matrices' columns, in degrees.

    The cosines are the singular values of Q₁ᵀQ₂, where Q has an orthonormal basis in its columns. Close
    to 0° a cosine says nothing in finite precision; there the sines serve, which are the singular values
    of Q₂ - Q₁Q₁ᵀQ₂ (Björck & Golub, 1973).

    Args:
        first: (P, K), independent columns.
        second: (P, L), likewise, L ≤ K.

    Returns:
        (L,) float64, 0 to 90, the largest first. All 0: the second span lies within the first.

    Raises:
        ValueError: the shapes do not fit, or columns depend on each other.
    """
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second) or second.shape[1] > first.shape[1]:
        raise ValueError(
            f"expected (P, K) and (P, L) with L ≤ K, not {tuple(first.shape)} and {tuple(second.shape)}"
        )
    ours, theirs = _orthonormal(first), _orthonormal(second)
    cosines = torch.linalg.svdvals(ours.T @ theirs).flip(0).clamp(max=1)
    sines = torch.linalg.svdvals(theirs - ours @ (ours.T @ theirs)).clamp(max=1)
    return torch.where(cosines**2 < 0.5, cosines.acos(), sines.asin()).rad2deg()


def _orthonormal(matrix: Tensor) -> Tensor:
    matrix = matrix.detach().cpu().double()
    if torch.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise ValueError("the columns depend on each other: they span less than their number")
    return torch.linalg.qr(matrix).Q


def _rows(data: Tensor) -> Tensor:
    return data.detach().cpu().flatten(1).double()
