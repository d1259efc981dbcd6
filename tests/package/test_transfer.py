"""Frozen means frozen, features are computed once, and the probe finds the optimum."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import nn
from torchvision.transforms import v2

from dlbook import models, training, transfer
from dlbook.data import Split
from dlbook.models.vgg import VGG
from dlbook.recipes import Recipe

TRANSFORM = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.4] * 3, [0.2] * 3)])


@pytest.fixture
def colors(two_classes):
    """`two_classes` in color, 8×8."""
    images = two_classes.images.repeat(1, 3, 2, 2)
    return dataclasses.replace(two_classes, images=images)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return VGG((4, "M", 6), class_count=2, dropout=0.5)


def test_training_through_a_frozen_network_moves_nothing_of_it(colors, backbone):
    """Not one parameter, not one batch-norm statistic; and the linear layer on top does learn."""
    before = models.copy_weights(backbone)
    head = nn.Linear(2, 2)
    start = models.copy_weights(head)
    model = nn.Sequential(transfer.Frozen(backbone), head)
    recipe = Recipe(epochs=2, batch_size=50, peak_learning_rate=0.1)
    training.fit(model, training.Feed(colors, colors, TRANSFORM), recipe)
    assert transfer.changed_values(before, backbone) == 0
    assert transfer.changed_values(start, head) > 0
    assert models.count_parameters(model) == 6


def test_without_the_wrapper_the_statistics_move(colors, backbone):
    """The usual half: no gradient, but training mode. Mean and variance, and a count, each layer."""
    before = models.copy_weights(backbone)
    model = nn.Sequential(backbone.requires_grad_(False), nn.Linear(2, 2))
    recipe = Recipe(epochs=1, batch_size=50, peak_learning_rate=0.1)
    training.fit(model, training.Feed(colors, colors, TRANSFORM), recipe)
    assert transfer.changed_values(before, backbone) == 2 * (4 + 6) + 2


def test_a_frozen_network_answers_the_same_in_any_mode(backbone):
    frozen = transfer.Frozen(backbone)
    images = torch.rand(9, 3, 8, 8)
    first = frozen.train()(images)
    assert torch.equal(first, frozen.eval()(images))
    assert not first.requires_grad


def test_changed_values_counts_values():
    layer = nn.Linear(3, 2)
    before = models.copy_weights(layer)
    with torch.no_grad():
        layer.weight[0, 1] += 1
        layer.bias[1] -= 1
    assert transfer.changed_values(before, layer) == 2


def test_changed_values_refuses_another_models_weights():
    with pytest.raises(ValueError, match="shapes"):
        transfer.changed_values(models.copy_weights(nn.Linear(3, 2)), nn.Linear(2, 3))


def test_features_are_those_of_the_images_one_by_one(colors, backbone):
    features = transfer.compute_features(backbone, backbone.penultimate, colors, TRANSFORM)
    backbone.eval()
    one_by_one = [backbone.penultimate(TRANSFORM(image[None])) for image in colors.images]
    torch.testing.assert_close(features, torch.cat(one_by_one).detach())


def test_computing_features_leaves_the_network_as_it_was(colors, backbone):
    backbone.train()
    backbone.features[1].eval()
    before = models.copy_weights(backbone)
    transfer.compute_features(backbone, backbone.penultimate, colors, TRANSFORM)
    assert backbone.training
    assert not backbone.features[1].training
    assert transfer.changed_values(before, backbone) == 0


def test_cached_features_are_those_computed_anew(colors, backbone, tmp_path):
    anew = transfer.compute_features(backbone, backbone.penultimate, colors, TRANSFORM)
    for _ in range(2):
        cached = transfer.cached_features(backbone, backbone.penultimate, colors, TRANSFORM, tmp_path)
        assert torch.equal(cached, anew)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_second_time_nothing_is_computed(colors, backbone, tmp_path):
    arguments = (backbone, backbone.penultimate, colors, TRANSFORM, tmp_path)
    transfer.cached_features(*arguments)
    runs = []
    backbone.features.register_forward_hook(lambda *call: runs.append(1))
    transfer.cached_features(*arguments)
    assert runs == []


def test_other_weights_images_transforms_and_methods_are_other_features(colors, backbone, tmp_path):
    def kept():
        return len(list(tmp_path.iterdir()))

    transfer.cached_features(backbone, backbone.penultimate, colors, TRANSFORM, tmp_path)
    other = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.4] * 3, [0.3] * 3)])
    transfer.cached_features(backbone, backbone.penultimate, colors, other, tmp_path)
    assert kept() == 2
    transfer.cached_features(backbone, backbone.penultimate, colors[:100], TRANSFORM, tmp_path)
    assert kept() == 3
    transfer.cached_features(backbone, backbone.forward, colors, TRANSFORM, tmp_path)
    assert kept() == 4
    with torch.autocast("cpu", torch.bfloat16):
        transfer.cached_features(backbone, backbone.penultimate, colors, TRANSFORM, tmp_path)
    assert kept() == 5
    backbone.features[1].running_mean += 1
    transfer.cached_features(backbone, backbone.penultimate, colors, TRANSFORM, tmp_path)
    assert kept() == 6


def test_a_damaged_file_is_computed_again(colors, backbone, tmp_path):
    arguments = (backbone, backbone.penultimate, colors, TRANSFORM, tmp_path)
    anew = transfer.cached_features(*arguments)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(transfer.cached_features(*arguments), anew)


def test_a_folder_that_cannot_be_written_is_no_error(colors, backbone, tmp_path):
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "below"
    features = transfer.cached_features(backbone, backbone.penultimate, colors, TRANSFORM, folder)
    assert features.shape == (200, 6)


def test_a_transform_that_does_not_say_what_it_does_is_refused(colors, backbone, tmp_path):
    with pytest.raises(ValueError, match="does not say"):
        transfer.cached_features(backbone, backbone.penultimate, colors, lambda images: images, tmp_path)


@pytest.fixture
def blobs():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 3
    features = torch.randn(120, 5, generator=generator) + 1.5 * nn.functional.one_hot(labels, 5)
    features[:, 1] = features[:, 1] * 40 + 300
    features[:, 4] = 7  # a unit that is always the same
    return features, labels


def test_the_probe_is_scikit_learns_logistic_regression(blobs):
    features, labels = blobs
    probe = transfer.fit_probe(features, labels, 3, weight_decay=0.5)
    scaled = (features - features.mean(dim=0)) / features.std(dim=0, correction=0).clamp(min=1e-6)
    scaled[:, 4] = 0
    # scikit-learn minimizes C Σ loss + ‖W‖² / 2.
    oracle = LogisticRegression(C=5 / (0.5 * 120), tol=1e-10, max_iter=10_000).fit(scaled, labels)
    ours = probe(features).softmax(dim=1).detach()
    theirs = torch.from_numpy(oracle.predict_proba(scaled))
    torch.testing.assert_close(ours.double(), theirs, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("features", "labels", "weight_decay"),
    [
        (torch.rand(4), torch.zeros(4, dtype=torch.long), 0.1),
        (torch.rand(4, 2), torch.zeros(3, dtype=torch.long), 0.1),
        (torch.rand(4, 2), torch.zeros(4, dtype=torch.long), -0.1),
    ],
)
def test_the_probe_refuses_what_does_not_fit(features, labels, weight_decay):
    with pytest.raises(ValueError, match="features"):
        transfer.fit_probe(features, labels, 2, weight_decay)


def test_a_sample_has_as_many_of_each_class_and_no_image_twice():
    labels = torch.tensor([0] * 30 + [1] * 20 + [2] * 12)
    chosen = transfer.per_class_sample(labels, 10, seed=3)
    assert labels[chosen].bincount().tolist() == [10, 10, 10]
    assert len(chosen.unique()) == 30
    assert not torch.equal(chosen, transfer.per_class_sample(labels, 10, seed=4))
    assert torch.equal(transfer.per_class_sample(labels, None, seed=3), torch.arange(62))
    with pytest.raises(ValueError, match="class 2 has 12"):
        transfer.per_class_sample(labels, 13, seed=0)


def test_images_are_resized_all_alike_and_keep_their_labels():
    """With PIL as the oracle: an area is averaged, whole images are squeezed."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (300, 3, 16, 8), generator=generator).to(torch.uint8)
    split = Split(images, torch.arange(300) % 2, ("a", "b"))
    small = transfer.resized(split, 4)
    assert small.images.shape == (300, 3, 4, 4)
    assert torch.equal(small.labels, split.labels)
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images[[0, 299]]]
    theirs = [np.asarray(picture.resize((4, 4), Image.Resampling.BILINEAR)) for picture in pictures]
    expected = torch.from_numpy(np.stack(theirs)).permute(0, 3, 1, 2)
    torch.testing.assert_close(small.images[[0, 299]].float(), expected.float(), atol=1, rtol=0)
