"""PCA against scikit-learn, principal angles against SciPy."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn import decomposition

from dlbook import subspaces


def random_matrix(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def images() -> torch.Tensor:
    """300 images of 3×4 whose pixels depend on each other, off center."""
    return (random_matrix(300, 12) @ random_matrix(12, 12, seed=1) + 5).view(300, 1, 3, 4)


@pytest.mark.parametrize("count", [1, 4, 12])
def test_pca_agrees_with_scikit_learn(images, count):
    rows = images.flatten(1).numpy()
    theirs = decomposition.PCA(count, svd_solver="full").fit(rows)
    ours = subspaces.fit_pca(images, count)
    expected = theirs.inverse_transform(theirs.transform(rows))
    np.testing.assert_allclose(ours.reconstruct(images).flatten(1), expected, atol=1e-10)
    signs = np.sign((ours.components.numpy() * theirs.components_).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(ours.components.numpy(), signs * theirs.components_, atol=1e-9)
    np.testing.assert_allclose(ours.encode(images).numpy(), theirs.transform(rows) * signs.T, atol=1e-9)
    np.testing.assert_allclose(ours.variances[:count] * 300 / 299, theirs.explained_variance_)


def test_the_variances_left_out_are_the_squared_error(images):
    pca = subspaces.fit_pca(images, 5)
    squared = (images - pca.reconstruct(images)).flatten(1).square().sum(dim=1).mean()
    assert squared.item() == pytest.approx(pca.variances[5:].sum().item())


def test_the_largest_entry_of_each_component_is_positive(images):
    components = subspaces.fit_pca(images, 12).components
    assert (components.amax(dim=1) >= -components.amin(dim=1)).all()


def test_covariance_agrees_with_numpy(images):
    mean, matrix = subspaces.covariance(images)
    rows = images.flatten(1).numpy()
    np.testing.assert_allclose(mean, rows.mean(axis=0))
    np.testing.assert_allclose(matrix, np.cov(rows.T, bias=True), atol=1e-10)


@pytest.mark.parametrize("count", [0, 13])
def test_an_impossible_count_is_refused(images, count):
    with pytest.raises(ValueError, match="1 to 12 components"):
        subspaces.fit_pca(images, count)


def test_one_row_has_no_components():
    with pytest.raises(ValueError, match="at least 2 rows"):
        subspaces.fit_pca(torch.rand(1, 4), 1)


@pytest.mark.parametrize("shift", [1.0, 1e-3, 1e-6, 1e-10])
@pytest.mark.parametrize("count", [4, 2])
def test_angles_agree_with_scipy(shift, count):
    """From almost the same subspace to unlike ones; cosines alone fail at the small end."""
    first = random_matrix(20, 4)
    second = (first @ random_matrix(4, 4, seed=2) + shift * random_matrix(20, 4, seed=1))[:, :count]
    ours = subspaces.principal_angles(first, second).numpy()
    theirs = np.rad2deg(subspace_angles(first.numpy(), second.numpy()))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-12)


def test_angles_that_are_known():
    axes = torch.eye(4, dtype=torch.float64)
    tilted = torch.stack([axes[0], (axes[1] * 3**0.5 + axes[2]) / 2], dim=1)
    angles = subspaces.principal_angles(axes[:, :2], tilted)
    assert angles.tolist() == pytest.approx([30, 0])
    assert subspaces.principal_angles(axes[:, :2], axes[:, 2:]).tolist() == pytest.approx([90, 90])


def test_angles_do_not_depend_on_the_basis_or_the_precision():
    first, second = random_matrix(30, 5), random_matrix(30, 5, seed=1)
    other_basis = second @ random_matrix(5, 5, seed=2)
    expected = subspaces.principal_angles(first, second)
    torch.testing.assert_close(subspaces.principal_angles(first, other_basis), expected)
    in_single = subspaces.principal_angles(first.float(), second.float())
    torch.testing.assert_close(in_single, expected, atol=1e-4, rtol=0)


def test_dependent_columns_are_refused():
    column = random_matrix(6, 1)
    with pytest.raises(ValueError, match="depend"):
        subspaces.principal_angles(random_matrix(6, 2), column.repeat(1, 2))


@pytest.mark.parametrize("second", [(5, 2), (6, 3)])
def test_angles_of_shapes_that_do_not_fit_are_refused(second):
    with pytest.raises(ValueError, match="L ≤ K"):
        subspaces.principal_angles(random_matrix(6, 2), random_matrix(*second))
