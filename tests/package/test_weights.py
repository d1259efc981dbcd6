"""The shipped network: whole, as accurate as its card says, and made by a recipe that runs."""

import dataclasses

import pytest
import torch
from conftest import ROOT
from safetensors import safe_open

from dlbook import data, models, training, weights
from dlbook.weights import train_vgg_cifar10 as recipe

FOLDER = ROOT / "src" / "dlbook" / "weights"


def test_the_card_describes_the_file():
    """Its checksum, its parameters and its accuracy are those in the README."""
    pretrained = weights.vgg_cifar10()
    card = (FOLDER / "README.md").read_text()
    assert weights.VGG_CIFAR10_SHA256 in card
    assert f"{models.count_parameters(pretrained.network):,}" in card
    accuracy = float(pretrained.card["test_accuracy"])
    assert f"{accuracy:.2%}" in card
    assert f"{accuracy:.2%}" in repr(pretrained)
    assert accuracy >= 0.88


def test_the_files_are_small():
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert sizes["vgg_cifar10.safetensors"] <= 4e6
    assert sum(sizes.values()) <= 10e6


def test_the_weights_are_finite_and_ready_to_use():
    network = weights.vgg_cifar10().network
    assert not network.training
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_a_changed_file_is_an_error(tmp_path, monkeypatch):
    content = bytearray(weights.VGG_CIFAR10.read_bytes())
    content[-1] ^= 1
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(content)
    monkeypatch.setattr(weights, "VGG_CIFAR10", damaged)
    with pytest.raises(weights.WeightsError, match="damaged"):
        weights.vgg_cifar10()
    damaged.unlink()
    with pytest.raises(weights.WeightsError, match="missing"):
        weights.vgg_cifar10()


def test_it_names_cifar10s_images():
    cifar10 = data.load("cifar10")
    if cifar10.source.is_standin:
        pytest.skip("the real CIFAR-10 is not on this machine")
    pretrained = weights.vgg_cifar10()
    some = cifar10.test[:500]
    accuracy = training.evaluate(pretrained.network, some, pretrained.transform(32)).accuracy
    # Three standard errors of 500 images, 4.4 points, around the accuracy on all of them.
    assert abs(accuracy - float(pretrained.card["test_accuracy"])) < 0.044


@pytest.fixture
def images():
    return torch.randint(0, 256, (50, 3, 32, 32), generator=torch.Generator().manual_seed(0))


def test_a_view_in_the_same_light_is_a_part_of_its_image():
    """Three vertical stripes: every view keeps their order, or mirrors it, and their brightness."""
    stripes = torch.tensor([10.0, 100.0, 200.0]).repeat_interleave(11)[:32].expand(40, 3, 32, 32)
    views = recipe.random_views(stripes, torch.Generator().manual_seed(0), smallest=0.5, light=0)
    steps = views[:, 0, 16].diff(dim=1)
    mirrored = (steps < -1e-3).any(dim=1)
    assert 10 < mirrored.sum() < 30
    assert ((steps > -1e-3).all(dim=1) ^ mirrored).all()
    assert views.min() > 9.99
    assert views.max() < 200.01


def test_views_stay_in_range_and_differ(images):
    views = recipe.random_views(images, torch.Generator().manual_seed(1), smallest=1.0, light=1)
    assert views.shape == images.shape
    assert 0 <= views.min() <= views.max() <= 255
    other = recipe.random_views(images, torch.Generator().manual_seed(2), smallest=1.0, light=1)
    assert not torch.equal(views, other)


def test_one_square_of_each_image_is_hidden():
    images = torch.full((200, 3, 32, 32), 200, dtype=torch.uint8)
    augment = recipe.hiding(12, lambda images, generator: images)
    seen = augment(images, torch.Generator().manual_seed(0))
    hidden = seen != 200
    assert (seen[hidden] == recipe.GRAY).all()
    heights = hidden[:, 0].any(dim=2).sum(dim=1)
    widths = hidden[:, 0].any(dim=1).sum(dim=1)
    assert torch.equal(heights * widths, hidden[:, 0].sum(dim=(1, 2)))
    assert heights.max() == widths.max() == 12
    assert heights.min() >= 6


def test_partners_that_agree_have_the_smaller_loss():
    codes = torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
    agree = recipe.contrastive_loss(codes.repeat(2, 1), 0.2)
    strangers = recipe.contrastive_loss(torch.cat([codes, codes.flip(0)]), 0.2)
    assert agree < 0.2 < strangers


def test_the_contrastive_loss_of_equal_codes_is_a_guess():
    """Whoever sees no difference guesses among 2 N - 1 others."""
    loss = recipe.contrastive_loss(torch.ones(10, 4), 0.5)
    torch.testing.assert_close(loss, torch.tensor(9.0).log())


@pytest.mark.slow
def test_the_recipe_makes_a_file_that_loads(tmp_path, monkeypatch):
    """One short epoch on the stand-in, from start to file."""
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "data"))
    phases = [dataclasses.replace(phase, epochs=1) for phase in recipe.PHASES]
    train, test = _few()
    cifar10 = data.Dataset("few", train, test, data.Source("cifar10", "few", True, "0" * 64, "MIT"))
    monkeypatch.setattr(recipe.data, "load", lambda name: cifar10)
    path = tmp_path / "made.safetensors"
    recipe.train(path, phases)
    with safe_open(path, "pt") as file:
        assert {"layers", "mean", "std", "phases", "test_accuracy"} <= file.metadata().keys()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    recipe.VGG().load_state_dict(state)
    assert state["classifier.1.weight"].dtype == torch.float16


def _few():
    generator = torch.Generator().manual_seed(0)
    splits = []
    for count in (60, 20):
        images = torch.randint(0, 256, (count, 3, 32, 32), generator=generator).to(torch.uint8)
        splits.append(data.Split(images, torch.arange(count) % 10, tuple("0123456789")))
    return splits
