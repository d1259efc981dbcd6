"""On a GPU the package computes what it computes on the CPU.

The GPU is an imitated one, which refuses what a real one refuses.
"""

from functools import partial

import fake_device
import numpy as np
import pytest
import torch
from fake_device import fake_cuda
from small_book import FRONT_MATTER
from torch import nn

from dlbook import (
    activations,
    data,
    ensemble,
    initialization,
    pages,
    receptive_field,
    runtime,
    saliency,
    training,
    transfer,
)
from dlbook.data import Split
from dlbook.data.augment import crop_and_flip
from dlbook.models.autoencoder import Autoencoder
from dlbook.models.cnn import CNN
from dlbook.models.deep import DeepMLP
from dlbook.models.layered_cnn import layered_cnn, max_blur_pool
from dlbook.models.mlp import MLP
from dlbook.models.small_cnn import SmallCNN
from dlbook.models.vgg import VGG
from dlbook.models.whitened_cnn import WhitenedCNN
from dlbook.optimizers import MuonSGD
from dlbook.recipes import Recipe, negative_error, squared_error


def split(channels: int, side: int) -> Split:
    """Return 120 images of noise, in ten classes."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (120, channels, side, side), generator=generator, dtype=torch.uint8)
    return Split(images, torch.arange(120) % 10, tuple("abcdefghij"))


GRAY, COLOR = split(1, 28), split(3, 32)
RECIPE = Recipe(epochs=1, batch_size=50, peak_learning_rate=1e-3)
REBUILD = Recipe(1, 50, 1e-3, loss=squared_error, score=negative_error)


def trained(build, images, recipe=RECIPE, augment=None):
    """Return the losses of a training, and the model's answers after it."""
    feed = training.Feed(images, images, data.standardize(images), augment)
    [(model, history)] = training.fit_seeds(build, feed, recipe, [3])
    answers = training.outputs(model, images, feed.transform)
    return [torch.tensor(history.step_losses + history.validation_loss), answers]


def together():
    """Return the losses of two networks that are trained side by side."""
    runtime.seed_everything(0)
    feed = training.Feed(GRAY, GRAY, data.standardize(GRAY))
    runs = ensemble.fit_together([DeepMLP(8, 3), DeepMLP(8, 3)], feed, RECIPE, [0, 1])
    return [runs.step_losses, runs.validation_score]


def transferred():
    """Return what a linear layer on a frozen network answers, and how much of the network has moved."""
    runtime.seed_everything(0)
    network, device = VGG((4, "M", 6)), runtime.current().device
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features = transfer.compute_features(
        network.to(device), network.penultimate, COLOR, data.standardize(COLOR)
    )
    probe = transfer.fit_probe(features, COLOR.labels, 10)
    moved = transfer.changed_values(before, network)
    return [features, probe.weight, torch.tensor(moved)]


def looked_into():
    """Return what the tools that look into a network see."""
    runtime.seed_everything(0)
    device = runtime.current().device
    network = layered_cnn().eval().to(device)
    images = data.standardize(COLOR)(COLOR.images[:4].to(device))
    classes = torch.tensor([1, 2, 3, 4], device=device)
    with torch.no_grad(), activations.capture(network, ["relu2"]) as seen:
        network(images)
    cam = saliency.grad_cam(network, "relu2", images, classes)
    covered = saliency.occlusion(network, images, classes, patch=16, step=16)
    influence = receptive_field.influence(network[:4], images, 3, 3)
    return [seen["relu2"], cam, covered, influence, saliency.rank_correlation(cam.cpu(), cam.cpu())]


def initialized():
    """Return the weights that a scheme gives to a network on the device."""
    runtime.seed_everything(0)
    network = SmallCNN().to(runtime.current().device)
    initialization.initialize(network, initialization.SCHEMES["uniform_fan_in"])
    return list(network.parameters())


USES = {
    "MLP": partial(trained, MLP, GRAY),
    "CNN, augmented": partial(trained, partial(CNN, (4, 4)), COLOR, augment=crop_and_flip()),
    "layered CNN with blur": partial(trained, partial(layered_cnn, pool=max_blur_pool), COLOR),
    "whitened CNN by Muon": partial(
        trained,
        lambda: WhitenedCNN(data.standardize(COLOR)(COLOR.images), (4, 6)),
        COLOR,
        Recipe(1, 50, 1e-3, optimizer=MuonSGD),
    ),
    "autoencoder": partial(trained, Autoencoder, GRAY, REBUILD),
    "an ensemble": together,
    "transfer": transferred,
    "a look inside": looked_into,
    "initialization": initialized,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_gpu_computes_what_the_cpu_computes(use):
    here = [value.detach() for value in use()]
    with fake_cuda():
        there = [value.detach().cpu() for value in use()]
    torch.testing.assert_close(there, here, equal_nan=True)


def mixed_sum():
    return torch.ones(3, device="cuda") + torch.ones(3)


def network_elsewhere():
    return nn.Linear(3, 2).to("cuda")(torch.ones(3))


def numpy_of_the_device():
    return np.asarray(torch.ones(3).to("cuda"))


def generator_of_the_cpu():
    return torch.randn(3, device="cuda", generator=torch.Generator())


def places_elsewhere():
    return torch.ones(3)[torch.arange(2, device="cuda")]


@pytest.mark.parametrize(
    "fault", [mixed_sum, network_elsewhere, numpy_of_the_device, generator_of_the_cpu, places_elsewhere]
)
def test_the_imitated_gpu_refuses_what_a_gpu_refuses(fault):
    with fake_cuda(), pytest.raises((RuntimeError, TypeError), match="cuda"):
        fault()


def test_what_a_gpu_takes_the_imitated_one_takes():
    with fake_cuda():
        there = torch.arange(4.0, device="cuda")
        answers = [there[torch.tensor([1, 2])], there * torch.tensor(2.0), there.clone(), -there]
        assert all(answer.device.type == "cuda" for answer in answers)
        assert there.cpu().device.type == "cpu"
        assert there.device.type == "cuda"
        network = nn.Linear(4, 1).to("cuda")
        network(there).backward()
        assert network.weight.grad.device.type == "cuda"


def test_pages_are_executed_on_the_imitated_gpu_and_hand_files_on(tmp_path, monkeypatch):
    monkeypatch.setattr(fake_device, "BOOK", tmp_path)
    monkeypatch.setenv(pages.LOADS, "{}")  # and so it is restored
    again = "results.report(count=3)"  # a name that each page may use once
    cells = {
        "first": f'{again}; pages.save("numbers", {{"n": torch.arange(3, device="cuda")}})',
        "second": f'{again}; assert pages.load("first", "numbers")["n"].sum() == 3',
        "mixed": 'pages.load("first", "numbers")["n"] + torch.ones(3, device="cuda")',
    }
    for page, code in cells.items():
        text = f"```{{code-cell}} ipython3\nimport torch\nfrom dlbook import pages, results\n{code}\n```\n"
        (tmp_path / f"{page}.md").write_text(f"{FRONT_MATTER}\n{text}")
    well = fake_device.execute_in_turn(["first", "second", "mixed"], tmp_path / "files")
    assert [next(well), next(well)] == ["first", "second"]
    with pytest.raises(RuntimeError, match="same device"):
        next(well)
