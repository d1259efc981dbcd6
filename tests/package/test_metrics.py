"""Metrics against scikit-learn, SciPy, and cases that can be counted by hand."""

import pytest
import torch
import torch.nn.functional as F
from scipy import optimize, stats
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


@pytest.mark.parametrize(("correct", "total"), [(9841, 10_000), (0, 10), (10, 10), (1, 3)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_interval(correct, total, confidence):
    expected = stats.binomtest(correct, total).proportion_ci(confidence, method="wilson")
    assert metrics.wilson_interval(correct, total, confidence) == pytest.approx(tuple(expected))


def test_wilson_interval_refuses_impossible_counts():
    with pytest.raises(ValueError, match="not a share"):
        metrics.wilson_interval(11, 10)


def test_impossible_counts_and_confidences_are_refused():
    with pytest.raises(ValueError, match="not a share"):
        metrics.two_share_p_value(1, 1, 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        metrics.wilson_interval(1, 2, confidence=1.0)
    with pytest.raises(ValueError, match="finite"):
        metrics.calibration_curve(torch.tensor([[float("nan"), 0.0]]), torch.tensor([0]))


def test_two_shares_agree_with_the_chi_squared_test():
    table = [[9831, 169], [9841, 159]]
    expected = stats.chi2_contingency(table, correction=False).pvalue
    assert metrics.two_share_p_value(9831, 9841, 10_000) == pytest.approx(expected)
    assert metrics.two_share_p_value(10, 10, 10) == 1.0


def test_confusion_matrix(answers):
    logits, labels = answers
    ours = metrics.confusion_matrix(logits.argmax(1), labels, 5)
    assert ours.tolist() == oracle.confusion_matrix(labels, logits.argmax(1)).tolist()


def test_confusion_matrix_refuses_unknown_classes():
    with pytest.raises(ValueError, match="0 to 1"):
        metrics.confusion_matrix(torch.tensor([2]), torch.tensor([0]), 2)


def test_per_class(answers):
    logits, labels = answers
    ours = metrics.per_class(metrics.confusion_matrix(logits.argmax(1), labels, 5))
    theirs = oracle.precision_recall_fscore_support(labels, logits.argmax(1))
    for mine, expected in zip(ours.values(), theirs, strict=True):
        assert mine.tolist() == pytest.approx(expected.tolist())


def test_per_class_of_a_class_never_predicted_is_zero():
    ours = metrics.per_class(torch.tensor([[3, 0], [2, 0]]))
    assert ours["precision"].tolist() == pytest.approx([0.6, 0])


def test_calibration_by_hand():
    """Four predictions in two bins: 0.6 twice, half right; 0.9 twice, all right."""
    probabilities = torch.tensor([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    labels = torch.tensor([0, 1, 0, 0])
    curve = metrics.calibration_curve(probabilities.log(), labels, bins=5)
    assert curve["confidence"].tolist() == pytest.approx([0.6, 0.9])
    assert curve["accuracy"].tolist() == pytest.approx([0.5, 1.0])
    error = metrics.expected_calibration_error(probabilities.log(), labels, bins=5)
    assert error == pytest.approx(0.5 * 0.1 + 0.5 * 0.1)


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


def test_reconstruction_error_refuses_what_it_would_get_wrong():
    images = torch.zeros(2, 4)
    with pytest.raises(ValueError, match="shape"):
        metrics.reconstruction_error(images, images[:1])
    with pytest.raises(ValueError, match="wrap"):
        metrics.reconstruction_error(images.byte(), images.byte())
