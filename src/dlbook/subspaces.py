"""Linear subspaces: the one that holds most of the variance of some data, and the angles between two.

Tensors in and out. scikit-learn and SciPy compute, in double precision on the CPU, whatever the inputs are:
differences between nearly equal subspaces are lost in single precision.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import subspace_angles
from sklearn import decomposition
from torch import Tensor

# Rows that are centered at once: in double precision, those of a whole data set fill a third of a gigabyte.
_PART = 1000


@dataclass(frozen=True)
class PCA:
    """Principal component analysis: the subspace with the smallest squared reconstruction error.

    Attributes:
        mean: (P,) float64, the mean of the data it was fitted to.
        components: (K, P) float64, orthonormal rows, the direction of largest variance first. The entry
            of each row with the largest magnitude is positive.
        variances: (min(N, P),) float64, the variance along all directions, largest first, divided by N, not
            N - 1: those beyond the first K then sum to the squared error of a training row.
    """

    mean: Tensor
    components: Tensor
    variances: Tensor

    def encode(self, data: Tensor) -> Tensor:
        """Return codes (N, K) float64 for data (N, …) of P values a row."""
        codes = torch.empty(len(data), len(self.components), dtype=torch.float64)
        for some, target in zip(data.split(_PART), codes.split(_PART), strict=True):
            torch.matmul(_rows(some) - self.mean, self.components.T, out=target)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Return rows (N, P) float64 for codes (N, K)."""
        return (codes @ self.components).add_(self.mean)  # in place: the rows may be a whole data set

    def reconstruct(self, data: Tensor) -> Tensor:
        """Return the data as K numbers a row can tell it, (N, …) float64, in the shape of the data."""
        return self.decode(self.encode(data)).reshape(data.shape)


def fit_pca(data: Tensor, count: int, unit: float = 1) -> PCA:
    """Fit the first ``count`` principal components to data.

    With more rows than values, by the eigenvectors of the covariance (P, P); with fewer, by the singular
    vectors of the rows, as the covariance would then be the larger matrix of the two.

    Args:
        data: (N, …), N ≥ 2 rows of P values in all, on any scale.
        count: K, from 1 to the smaller of N and P.
        unit: what counts as 1: 255 fits to pixels from 0 to 1, without a copy of all images on that scale.

    Raises:
        ValueError: too few rows, or a count outside its range.
    """
    rows = data.detach().cpu().flatten(1).to(torch.float64, copy=unit != 1)
    if unit != 1:
        rows /= unit
    if len(rows) < 2 or not 1 <= count <= min(rows.shape):
        raise ValueError(
            f"expected at least 2 rows and 1 to {min(rows.shape)} components, not {len(rows)} and {count}"
        )
    solver = "full" if len(rows) < rows.shape[1] else "covariance_eigh"
    fitted = decomposition.PCA(svd_solver=solver).fit(rows.numpy())
    variances = fitted.explained_variance_ * ((len(rows) - 1) / len(rows))
    mean, components = torch.from_numpy(fitted.mean_), torch.from_numpy(fitted.components_)
    return PCA(mean, components[:count], torch.from_numpy(variances))


def principal_angles(first: Tensor, second: Tensor) -> Tensor:
    """Return the principal angles between the spans of two matrices' columns, in degrees.

    By SciPy, after Knyazev & Argentati (2002): small angles come from their sines, since the cosine of a
    small angle is 1 in finite precision.

    Args:
        first: (P, K), independent columns.
        second: (P, L), likewise.

    Returns:
        (min(K, L),) float64, 0 to 90, the largest first. All 0: one span lies within the other.

    Raises:
        ValueError: the shapes do not fit, or columns depend on each other.
    """
    matrices = [matrix.detach().cpu().double().numpy() for matrix in (first, second)]
    angles = subspace_angles(*matrices)
    if len(angles) < min(first.shape[1], second.shape[1]):
        raise ValueError("the columns depend on each other: they span less than their number")
    return torch.from_numpy(np.rad2deg(angles))


def _rows(data: Tensor) -> Tensor:
    return data.detach().cpu().flatten(1).double()
