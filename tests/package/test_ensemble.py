"""Training several networks together: each takes the steps that it would take alone."""

import copy
import dataclasses
import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlbook import data
from dlbook.ensemble import fit_together
from dlbook.models.deep import DeepMLP
from dlbook.recipes import Recipe
from dlbook.training import Feed

ADAM = Recipe(2, 30, 1e-2, optimizer=torch.optim.Adam, schedule="constant")
SGD = Recipe(2, 30, 0.05, optimizer=partial(torch.optim.SGD, momentum=0.9), schedule="constant")


@pytest.fixture
def feed(two_classes):
    return Feed(two_classes, two_classes, data.standardize(two_classes))


def networks(count=3, **options):
    models = []
    for seed in range(count):
        torch.manual_seed(seed)
        models.append(DeepMLP(8, 3, input_size=16, classes=2, **options))
    return models


def alone(model, split, recipe, seed):
    """Train one model with a plain loop over whole batches."""
    generator, losses = torch.Generator().manual_seed(seed), []
    optimizer, size = recipe.optimizer(model.parameters(), recipe.peak_learning_rate), recipe.batch_size
    for _ in range(recipe.epochs):
        order = torch.randperm(len(split), generator=generator)
        for indices in order[: len(split) // size * size].split(size):
            images, labels = data.standardize(split)(split.images[indices]), split.labels[indices]
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


# Not batch norm with Adam: it makes the gradient of the biases before it rounding error, and Adam full
# steps of that.
@pytest.mark.parametrize(
    ("recipe", "batch_norm"), [(ADAM, False), (SGD, False), (SGD, True)], ids=["adam", "sgd", "norm"]
)
def test_each_model_takes_the_steps_that_it_takes_alone(two_classes, feed, recipe, batch_norm):
    models = networks(batch_norm=batch_norm)
    copies = copy.deepcopy(models)
    runs = fit_together(models, feed, recipe, (5, 6, 7))
    for index, (model, seed) in enumerate(zip(copies, (5, 6, 7), strict=True)):
        losses = alone(model, two_classes, recipe, seed)
        torch.testing.assert_close(runs.step_losses[index].tolist(), losses, rtol=1e-2, atol=1e-3)
        for name, value in models[index].state_dict().items():
            if "num_batches" not in name:
                torch.testing.assert_close(value, model.state_dict()[name], rtol=2e-2, atol=2e-3)
        answers = model.eval()(feed.transform(two_classes.images)).argmax(dim=1)
        share = (answers == two_classes.labels).double().mean().item()
        assert runs.validation_score[index].item() == pytest.approx(share, abs=0.011)


def test_a_model_that_diverges_leaves_the_others_alone(feed):
    healthy, sick = networks(2), networks(2)
    nn.init.constant_(sick[1].first.weight, math.inf)
    runs = [fit_together(models, feed, SGD, (0, 1)) for models in (healthy, sick)]
    assert not runs[1].step_losses[1].isfinite().all()
    torch.testing.assert_close(runs[0].step_losses[0], runs[1].step_losses[0])


def test_when_all_have_diverged_no_step_is_taken_in_vain(two_classes):
    models, taken = networks(2), []
    for model in models:
        nn.init.constant_(model.first.weight, math.inf)

    def transform(images):
        taken.append(len(images))
        return data.standardize(two_classes)(images)

    recipe = dataclasses.replace(SGD, epochs=5)
    runs = fit_together(models, Feed(two_classes, two_classes, transform), recipe, (0, 1))
    steps = len(two_classes) // 30
    assert taken.count(2 * 30) == steps
    assert runs.step_losses.shape == (2, 5 * steps)
    assert runs.step_losses.isnan().all()


def test_the_accuracy_is_that_of_the_validation_split(two_classes, feed):
    flipped = dataclasses.replace(two_classes, labels=1 - two_classes.labels)
    recipe = dataclasses.replace(ADAM, epochs=5, batch_size=20)
    runs = fit_together(networks(), dataclasses.replace(feed, validation=flipped), recipe, range(3))
    assert (runs.validation_score < 0.1).all()


def test_loss_and_score_are_the_recipes(two_classes, feed):
    """A loss that reads the images, and a score that says which model is which."""

    def brightness(logits, images, labels):
        return images.mean() + 0 * logits.sum()

    models = networks(2)
    recipe = dataclasses.replace(SGD, epochs=1, loss=brightness, score=lambda *batch: batch[0][0, 0].item())
    runs = fit_together(models, feed, recipe, (0, 1))
    biases = [model.eval()(feed.transform(two_classes.images[:1]))[0, 0].item() for model in models]
    assert runs.validation_score.tolist() == pytest.approx(biases, rel=1e-4)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    first = feed.transform(two_classes.images[order[:30]]).mean().item()
    assert runs.step_losses[1, 0].item() == pytest.approx(first, abs=1e-6)


def test_the_schedule_is_the_recipes(feed):
    """A rate that falls to zero moves the weights less than one that stays."""
    moved = []
    for schedule in ("constant", "linear"):
        (model,) = networks(1)
        before = model.first.weight.detach().clone()
        fit_together([model], feed, dataclasses.replace(SGD, schedule=schedule), (0,))
        moved.append((model.first.weight - before).norm().item())
    assert moved[1] < 0.9 * moved[0]


def test_what_cannot_be_trained_together_is_refused(feed):
    with pytest.raises(ValueError, match="seeds"):
        fit_together(networks(), feed, SGD, (0, 1))
    with pytest.raises(ValueError, match="fill"):
        fit_together(networks(), feed, dataclasses.replace(SGD, batch_size=300), range(3))
    augmented = dataclasses.replace(feed, augment=data.crop_and_flip(1))
    with pytest.raises(ValueError, match="augment"):
        fit_together(networks(), augmented, SGD, range(3))
