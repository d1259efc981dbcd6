"""PCA against the singular values and the textbook, angles against those that are known."""

import math

import pytest
import torch
from peak_memory import counted, growth

from dlbook import subspaces


def random_matrix(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def images() -> torch.Tensor:
    """300 images of 3×4 whose pixels depend on each other, off center."""
    return (random_matrix(300, 12) @ random_matrix(12, 12, seed=1) + 5).view(300, 1, 3, 4)


@pytest.mark.parametrize("count", [1, 4, 12])
def test_pca_keeps_the_largest_singular_values(images, count):
    rows = images.flatten(1)
    mean = rows.mean(dim=0)
    U, S, Vh = torch.linalg.svd(rows - mean, full_matrices=False)  # noqa: N806
    pca = subspaces.fit_pca(images, count)
    expected = (U[:, :count] * S[:count]) @ Vh[:count] + mean
    torch.testing.assert_close(pca.reconstruct(images).flatten(1), expected)
    torch.testing.assert_close(pca.encode(images).abs(), (U[:, :count] * S[:count]).abs())
    torch.testing.assert_close(pca.variances, S**2 / 300)


def test_pca_in_another_unit_is_that_of_scaled_data_and_leaves_the_data_alone(images):
    before = images.clone()
    in_fives, scaled = subspaces.fit_pca(images, 4, unit=5), subspaces.fit_pca(images / 5, 4)
    torch.testing.assert_close(in_fives, scaled)
    assert torch.equal(images, before)
    pixels = (images * 10).clamp(0, 255).byte()
    torch.testing.assert_close(
        subspaces.fit_pca(pixels, 4, unit=255), subspaces.fit_pca(pixels.double() / 255, 4)
    )


def test_fewer_rows_than_values_make_no_matrix_of_all_values():
    """Eight rows of a million values: their covariance would take eight terabytes."""
    rows = random_matrix(8, 1_000_000)
    pca = subspaces.fit_pca(rows, 3)
    _, S, Vh = torch.linalg.svd(rows - rows.mean(dim=0), full_matrices=False)  # noqa: N806
    torch.testing.assert_close(pca.components.abs(), Vh[:3].abs())
    torch.testing.assert_close(pca.variances, S**2 / 8)
    assert (pca.components.amax(dim=1) >= -pca.components.amin(dim=1)).all()


def test_many_rows_are_encoded_as_the_formula_says():
    """They are taken a part at a time: 2,345 are no multiple of a part."""
    rows = random_matrix(2345, 12).float()
    pca = subspaces.fit_pca(rows, 4)
    expected = (rows.double() - pca.mean) @ pca.components.T
    codes = pca.encode(rows.view(-1, 3, 4))
    torch.testing.assert_close(codes, expected, atol=1e-14, rtol=1e-14)
    restored = expected @ pca.components + pca.mean
    torch.testing.assert_close(pca.reconstruct(rows), restored, atol=1e-14, rtol=1e-14)
    assert pca.encode(rows[:0]).shape == (0, 4)


@counted
@pytest.mark.parametrize(("step", "most"), [("fit", 2.5), ("encode", 0.5), ("reconstruct", 2.5)])
def test_no_second_copy_of_the_data_is_made(step, most):
    """In double precision, a copy takes twice what the data take; the reconstruction is one."""
    rows = torch.rand(60_000, 256)
    pca = subspaces.fit_pca(rows[:1000], 8)
    steps = {
        "fit": lambda: subspaces.fit_pca(rows, 8),
        "encode": lambda: pca.encode(rows),
        "reconstruct": lambda: pca.reconstruct(rows),
    }
    assert growth(steps[step]) < most * rows.nbytes


def test_the_variances_left_out_are_the_squared_error(images):
    pca = subspaces.fit_pca(images, 5)
    squared = (images - pca.reconstruct(images)).flatten(1).square().sum(dim=1).mean()
    assert squared.item() == pytest.approx(pca.variances[5:].sum().item())


def test_the_largest_entry_of_each_component_is_positive(images):
    components = subspaces.fit_pca(images, 12).components
    assert (components.amax(dim=1) >= -components.amin(dim=1)).all()


@pytest.mark.parametrize("count", [0, 13])
def test_an_impossible_count_is_refused(images, count):
    with pytest.raises(ValueError, match="components"):
        subspaces.fit_pca(images, count)


def test_one_row_has_no_components():
    with pytest.raises(ValueError, match="rows"):
        subspaces.fit_pca(torch.rand(1, 4), 1)


@pytest.mark.parametrize("angle", [1.0, 1e-3, 1e-6, 1e-10])
def test_an_angle_is_known_however_small(angle):
    """Cosines alone fail at the small end: that of 1e-10 is 1."""
    axes = torch.eye(4, dtype=torch.float64)
    tilted = math.cos(angle) * axes[1] + math.sin(angle) * axes[2]
    angles = subspaces.principal_angles(axes[:, :2], torch.stack([axes[0], tilted], dim=1))
    assert angles.tolist() == pytest.approx([math.degrees(angle), 0], rel=1e-9, abs=1e-14)


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


def test_angles_of_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="rows"):
        subspaces.principal_angles(random_matrix(6, 2), random_matrix(5, 2))
