"""The two kinds of network of the CIFAR-10 topic: what they cost, and that they learn, where no GPU is."""

import dataclasses

import jupytext
import pytest
import torch
from conftest import ROOT

from dlbook import data, models, training
from dlbook.models.cnn import CNN
from dlbook.models.whitened_cnn import WhitenedCNN
from dlbook.optimizers import MuonSGD
from dlbook.recipes import AdamW, CrossEntropy, Recipe

TRAINING_IMAGES = 48_000

SMALL = Recipe(8, 128, 3e-3, AdamW(weight_decay=0.05), CrossEntropy(label_smoothing=0.1), bfloat16=True)
LARGE = Recipe(11, 2000, 0.24, MuonSGD, CrossEntropy(label_smoothing=0.2), schedule="linear", bfloat16=True)
PROFILES = {
    "small": (lambda images: CNN(), SMALL, 2.4e13),
    "large": (lambda images: WhitenedCNN(images, (64, 256, 256)), LARGE, 4e14),
}


@pytest.fixture(params=PROFILES)
def profile(request):
    return PROFILES[request.param]


def test_the_cost_of_a_training_is_within_its_bound(profile):
    build, recipe, most_flops = profile
    images = torch.rand(2, 3, 32, 32)
    model = build(images)
    per_image = models.training_flops(model, images)
    steps = recipe.steps(TRAINING_IMAGES)
    optimizer, _ = training.make_optimizer(model.parameters(), recipe, steps)
    total = per_image * TRAINING_IMAGES * recipe.epochs + steps * models.step_flops(optimizer)
    assert total <= most_flops


def test_a_few_steps_lower_the_loss(profile):
    """Two classes that differ in brightness, in 16 images: eight steps must be enough to tell them apart."""
    build, recipe, _ = profile
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(16) % 2
    images = torch.randint(0, 100, (16, 3, 32, 32), generator=generator) + 100 * labels[:, None, None, None]
    split = data.Split(images.to(torch.uint8), labels, tuple("0123456789"))
    torch.manual_seed(0)
    feed = training.Feed(split, split, data.standardize(split), data.crop_and_flip())
    model = build(feed.transform(split.images))
    history = training.fit(model, feed, dataclasses.replace(recipe, epochs=8, batch_size=16))
    # Label smoothing keeps even perfect answers at 0.5 nats.
    assert history.step_losses[-1] < history.step_losses[0] / 2


def test_the_class_on_the_page_is_the_packages_network():
    cells = jupytext.read(ROOT / "book" / "cnn" / "cifar-cnn.md").cells
    (source,) = [cell.source for cell in cells if cell.source.startswith("class CNN(")]
    names = {"nn": torch.nn}
    exec(source, names)
    typed, imported = names["CNN"]().eval(), CNN().eval()
    typed.load_state_dict(imported.state_dict())
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(typed(images), imported(images))
