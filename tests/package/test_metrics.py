"""Metrics against scikit-learn, SciPy, and cases that can be counted by hand."""

import pytest
import torch
import torch.nn.functional as F
from peak_memory import counted, growth
from scipy import optimize
from sklearn import metrics as oracle

from dlbook import metrics


@pytest.fixture
def answers() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (300,), generator=generator)
    logits = torch.randn(300, 5, generator=generator) + 1.5 * F.one_hot(labels, 5)
    return logits, labels


def test_accuracy(answers):
    logits, labels = answers
    assert metrics.accuracy(logits, labels) == pytest.approx(oracle.accuracy_score(labels, logits.argmax(1)))


def test_accuracy_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"logits \(N, K\)"):
        metrics.accuracy(torch.zeros(3), torch.zeros(3).long())
    with pytest.raises(ValueError, match="N ≥ 1"):
        metrics.accuracy(torch.zeros(0, 2), torch.zeros(0).long())


def test_calibration_by_hand():
    """Four predictions in two bins: 0.6 twice, half right; 0.9 twice, all right."""
    probabilities = torch.tensor([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    labels = torch.tensor([0, 1, 0, 0])
    curve = metrics.calibration_curve(probabilities.log(), labels, bins=5)
    assert curve["confidence"].tolist() == pytest.approx([0.6, 0.9])
    assert curve["accuracy"].tolist() == pytest.approx([0.5, 1.0])
    error = metrics.expected_calibration_error(probabilities.log(), labels, bins=5)
    assert error == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)


def test_calibration_refuses_logits_that_are_not_finite():
    with pytest.raises(ValueError, match="finite"):
        metrics.calibration_curve(torch.tensor([[float("nan"), 0.0]]), torch.tensor([0]))


def test_the_right_temperature_is_found(answers):
    logits, labels = answers
    temperature = metrics.fit_temperature(logits, labels)

    def loss(scale):
        return F.cross_entropy(logits.double() / scale, labels).item()

    best = optimize.minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-6})
    assert temperature == pytest.approx(best.x, rel=1e-3)
    assert metrics.fit_temperature(3 * logits, labels) == pytest.approx(3 * temperature, rel=1e-3)


def test_reconstruction_error():
    generator = torch.Generator().manual_seed(0)
    images, restored = torch.rand(2, 50, 1, 4, 4, generator=generator).unbind()
    expected = oracle.mean_squared_error(images.flatten(1), restored.flatten(1))
    assert metrics.reconstruction_error(images, restored) == pytest.approx(expected, rel=1e-6)
    assert metrics.reconstruction_error(images, images) == 0


def test_reconstruction_error_of_many_images():
    """They are taken a part at a time: 2,345 are no multiple of a part."""
    generator = torch.Generator().manual_seed(0)
    images, restored = torch.rand(2, 2345, 1, 4, 4, generator=generator).unbind()
    expected = (images - restored).double().square().mean().item()
    assert metrics.reconstruction_error(images, restored) == pytest.approx(expected, rel=1e-14)


@counted
def test_reconstruction_error_of_many_images_makes_no_copy_of_them():
    images, restored = torch.rand(2, 60_000, 256).unbind()
    assert growth(lambda: metrics.reconstruction_error(images, restored)) < images.nbytes / 2


def test_reconstruction_error_refuses_what_it_would_get_wrong():
    images = torch.zeros(2, 4)
    with pytest.raises(ValueError, match="shape"):
        metrics.reconstruction_error(images, images[:1])
    with pytest.raises(ValueError, match="wrap"):
        metrics.reconstruction_error(images.byte(), images.byte())
