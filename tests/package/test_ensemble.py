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

ADAM = partial(torch.optim.Adam, lr=1e-2)
SGD = partial(torch.optim.SGD, lr=0.05, momentum=0.9)


def networks(count=3, **options):
    models = []
    for seed in range(count):
        torch.manual_seed(seed)
        models.append(DeepMLP(8, 3, input_size=16, classes=2, **options))
    return models


def alone(model, split, make_optimizer, seed, epochs=2, size=30):
    """Train one model with a plain loop over whole batches."""
    generator, losses = torch.Generator().manual_seed(seed), []
    optimizer = make_optimizer(model.parameters())
    for _ in range(epochs):
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
    ("make_optimizer", "batch_norm"), [(ADAM, False), (SGD, False), (SGD, True)], ids=["adam", "sgd", "norm"]
)
def test_each_model_takes_the_steps_that_it_takes_alone(two_classes, make_optimizer, batch_norm):
    models = networks(batch_norm=batch_norm)
    copies = copy.deepcopy(models)
    transform = data.standardize(two_classes)
    runs = fit_together(models, two_classes, two_classes, transform, make_optimizer, (5, 6, 7), 2, 30)
    for index, (model, seed) in enumerate(zip(copies, (5, 6, 7), strict=True)):
        losses = alone(model, two_classes, make_optimizer, seed)
        torch.testing.assert_close(runs.step_losses[index].tolist(), losses, rtol=1e-2, atol=1e-3)
        for name, value in models[index].state_dict().items():
            if "num_batches" not in name:
                torch.testing.assert_close(value, model.state_dict()[name], rtol=2e-2, atol=2e-3)
        answers = model.eval()(transform(two_classes.images)).argmax(dim=1)
        share = (answers == two_classes.labels).double().mean().item()
        assert runs.validation_accuracy[index].item() == pytest.approx(share, abs=0.011)


def test_a_model_that_diverges_leaves_the_others_alone(two_classes):
    transform = data.standardize(two_classes)
    healthy, sick = networks(2), networks(2)
    nn.init.constant_(sick[1].first.weight, math.inf)
    runs = [
        fit_together(models, two_classes, two_classes, transform, SGD, (0, 1), 2, 30)
        for models in (healthy, sick)
    ]
    assert not runs[1].step_losses[1].isfinite().all()
    torch.testing.assert_close(runs[0].step_losses[0], runs[1].step_losses[0])


def test_when_all_have_diverged_no_step_is_taken_in_vain(two_classes):
    models, taken = networks(2), []
    for model in models:
        nn.init.constant_(model.first.weight, math.inf)

    def transform(images):
        taken.append(len(images))
        return data.standardize(two_classes)(images)

    runs = fit_together(models, two_classes, two_classes, transform, SGD, (0, 1), 5, 30)
    steps = len(two_classes) // 30
    assert taken.count(2 * 30) == steps
    assert runs.step_losses.shape == (2, 5 * steps)
    assert runs.step_losses.isnan().all()


def test_the_accuracy_is_that_of_the_validation_split(two_classes):
    flipped = dataclasses.replace(two_classes, labels=1 - two_classes.labels)
    transform = data.standardize(two_classes)
    runs = fit_together(networks(), two_classes, flipped, transform, ADAM, range(3), 5, 20)
    assert (runs.validation_accuracy < 0.1).all()


def test_models_and_seeds_must_pair(two_classes):
    with pytest.raises(ValueError, match="3 models need as many seeds, not 2"):
        fit_together(networks(), two_classes, two_classes, lambda i: i.float(), SGD, (0, 1), 1, 30)


def test_a_batch_that_cannot_be_filled_is_refused(two_classes):
    with pytest.raises(ValueError, match="200 images do not fill a batch of 300"):
        fit_together(networks(), two_classes, two_classes, lambda i: i.float(), SGD, range(3), 1, 300)
