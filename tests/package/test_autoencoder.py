"""Autoencoders and their training, against what PCA and NumPy say."""

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms import v2

from dlbook import metrics, runtime, subspaces
from dlbook.data import Split
from dlbook.models.autoencoder import Autoencoder
from dlbook.recipes import AdamW, Recipe, negative_error, squared_error
from dlbook.training import DivergedError, Feed, fit, make_optimizer, outputs

RECIPE = Recipe(
    epochs=3,
    batch_size=32,
    peak_learning_rate=1e-2,
    optimizer=AdamW(weight_decay=0.0),
    loss=squared_error,
    score=negative_error,
)
scale = v2.ToDtype(torch.float32, scale=True)


def small(**options) -> Autoencoder:
    return Autoencoder((16, 3), **options)


def test_the_widths_are_those_asked_for_and_mirrored():
    model = Autoencoder((784, 512, 256, 32))
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in linear] == [784, 512, 256, 32, 256, 512]
    assert linear[-1].out_features == 784
    images = torch.rand(5, 1, 28, 28)
    assert model.encode(images).shape == (5, 32)
    assert model(images).shape == images.shape


def test_without_activations_it_is_the_product_of_its_matrices():
    model = small().double()
    first, second = model.encoder[0], model.decoder[0]
    images = torch.rand(4, 1, 4, 4, dtype=torch.float64)
    expected = images.flatten(1) @ (second.weight @ first.weight).T + second.weight @ first.bias + second.bias
    torch.testing.assert_close(model(images).flatten(1), expected)


def test_activations_stand_where_they_should():
    """Between the layers, at the code, at the output: no more, no fewer."""
    model = Autoencoder((16, 8, 3), "silu", "relu", "sigmoid", batch_norm=True)
    kinds = [type(layer).__name__ for layer in (*model.encoder, *model.decoder)]
    hidden = ["Linear", "BatchNorm1d", "SiLU", "Linear"]
    assert kinds == [*hidden, "ReLU", *hidden, "Sigmoid"]


@pytest.mark.parametrize(("output", "low", "high"), [("sigmoid", 0, 1), ("relu", 0, float("inf"))])
def test_the_output_range_is_kept(output, low, high):
    model = small(output_activation=output)
    restored = model(100 * torch.randn(50, 16))
    assert restored.min() >= low
    assert restored.max() <= high
    assert small()(100 * torch.randn(50, 16)).min() < 0


@pytest.mark.parametrize("widths", [(784,), (784, 0)])
def test_impossible_widths_are_refused(widths):
    with pytest.raises(ValueError, match="widths of input and code"):
        Autoencoder(widths)


def test_unknown_activations_are_refused():
    with pytest.raises(ValueError, match="unknown activation 'tahn': choose one of identity"):
        small(activation="relu", code_activation="tahn")


def test_training_takes_the_steps_of_a_loop_written_out(two_classes):
    model = small(output_activation="sigmoid")
    expected = copy.deepcopy(model)
    history = fit(model, Feed(two_classes, two_classes, scale), RECIPE, seed=3)

    generator = runtime.seed_everything(3)
    optimizer, schedule = make_optimizer(expected.parameters(), RECIPE, RECIPE.steps(len(two_classes)))
    losses = []
    for _ in range(RECIPE.epochs):
        for indices in torch.randperm(len(two_classes), generator=generator).split(RECIPE.batch_size):
            images = two_classes.images[indices].float() / 255
            loss = F.mse_loss(expected(images), images)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    assert history.step_losses == pytest.approx(losses, abs=1e-7)
    assert len(history.validation_loss) == len(history.train_loss) == len(history.seconds) == 3
    assert history.train_loss[0] == pytest.approx(sum(losses[:7]) / 7)


@pytest.fixture
def three_patterns() -> Split:
    """200 images of 4×4: three patterns in random strengths, and a little noise.

    The fourth principal component is far weaker than the third, so gradients find the first three soon.
    """
    generator = torch.Generator().manual_seed(0)
    patterns = torch.linalg.qr(torch.randn(16, 3, generator=generator)).Q.T
    strengths = torch.randn(200, 3, generator=generator) * torch.tensor([90.0, 70.0, 50.0])
    noise = 5 * torch.randn(200, 16, generator=generator)
    pixels = (128 + strengths @ patterns + noise).clamp(0, 255).round()
    return Split(pixels.view(200, 1, 4, 4).to(torch.uint8), torch.zeros(200, dtype=torch.long), ("all",))


def test_a_linear_autoencoder_becomes_pca(three_patterns):
    """Error and subspace of the principal components, from no more than gradients."""
    pixels = scale(three_patterns.images)
    mean = pixels.mean(dim=0)
    recipe = dataclasses.replace(RECIPE, epochs=100, batch_size=20, peak_learning_rate=0.1)
    runtime.seed_everything(0)
    model = small()
    history = fit(model, Feed(three_patterns, three_patterns, lambda images: scale(images) - mean), recipe)
    pca = subspaces.fit_pca(pixels, 3)
    optimum = (pca.variances[3:].sum() / 16).item()
    assert optimum * 0.9999 < history.validation_loss[-1] < optimum * 1.001
    angles = subspaces.principal_angles(pca.components.T, model.decoder[0].weight)
    assert angles.max() < 1


def test_the_best_epoch_is_kept(two_classes):
    """Validation images unlike the training images: their error rises again as training goes on."""
    inverted = dataclasses.replace(two_classes, images=255 - two_classes.images)
    model = small(output_activation="sigmoid")
    recipe = dataclasses.replace(RECIPE, epochs=8, peak_learning_rate=0.1)
    history = fit(model, Feed(two_classes, inverted, scale), recipe)
    assert history.validation_loss[-1] > min(history.validation_loss)
    error = metrics.reconstruction_error(scale(inverted.images), outputs(model, inverted, scale))
    assert error == -max(history.validation_score) == pytest.approx(min(history.validation_loss))
    assert not model.training


def test_evaluation_uses_fixed_statistics_and_restores_the_mode(two_classes):
    """With batch norm in training mode, an image's error would depend on what else is in its batch."""
    model = Autoencoder((16, 8, 3), batch_norm=True).train()
    together = outputs(model, two_classes, scale)
    alone = torch.cat([outputs(model, two_classes[i : i + 1], scale) for i in range(5)])
    torch.testing.assert_close(together[:5], alone)
    assert together.shape == two_classes.images.shape
    assert model.training


def test_loss_and_score_agree_with_numpy(two_classes):
    images, restored = scale(two_classes.images), outputs(small(), two_classes, scale)
    expected = ((restored.numpy() - two_classes.images.numpy() / 255) ** 2).mean()
    assert squared_error(restored, images, two_classes.labels).item() == pytest.approx(expected, rel=1e-6)
    assert negative_error(restored, images, two_classes.labels) == pytest.approx(-expected, rel=1e-6)


def test_an_error_of_nan_stops_training(two_classes: Split):
    def poisoned(images):
        return scale(images) + float("nan")

    with pytest.raises(DivergedError, match="step 1"):
        fit(small(), Feed(two_classes, two_classes, poisoned), RECIPE)
