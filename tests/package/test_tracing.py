"""Every network is plain enough for PyTorch's own tools to read: torch.fx and torch.export."""

import inspect
import pkgutil
from importlib import import_module

import pytest
import torch
from torch import nn

from dlbook import models
from dlbook.models.autoencoder import Autoencoder
from dlbook.models.cnn import CNN
from dlbook.models.deep import DeepMLP
from dlbook.models.layered_cnn import layered_cnn, max_blur_pool
from dlbook.models.mlp import MLP
from dlbook.models.small_cnn import SmallCNN
from dlbook.models.vgg import VGG
from dlbook.models.whitened_cnn import WhitenedCNN
from dlbook.pooling import BlurPool2d

DIGITS, PHOTOS = (2, 1, 28, 28), (2, 3, 16, 16)
NETWORKS = {
    "MLP": (MLP, DIGITS),
    "Autoencoder": (lambda: Autoencoder((784, 16, 4), batch_norm=True), DIGITS),
    "DeepMLP": (lambda: DeepMLP(8, 4), DIGITS),
    "DeepMLP, rescued": (lambda: DeepMLP(8, 4, batch_norm=True, residual=True), DIGITS),
    "SmallCNN": (SmallCNN, DIGITS),
    "CNN": (lambda: CNN((4, 6, 7)), PHOTOS),
    "WhitenedCNN": (lambda: WhitenedCNN(torch.rand(PHOTOS), (8, 8)), PHOTOS),
    "VGG": (lambda: VGG((4, "M", 6)), PHOTOS),
    "layered_cnn": (layered_cnn, PHOTOS),
    "layered_cnn, blurred": (lambda: layered_cnn(pool=max_blur_pool), PHOTOS),
    "BlurPool2d": (lambda: BlurPool2d(5), PHOTOS),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    """A network in evaluation mode, a batch for it, and what it makes of the batch."""
    make, shape = NETWORKS[request.param]
    torch.manual_seed(0)
    model, images = make().eval(), torch.rand(shape)
    with torch.no_grad():
        return model, images, model(images)


@torch.no_grad()
def test_fx_traces_it(network):
    model, images, expected = network
    assert torch.equal(torch.fx.symbolic_trace(model)(images), expected)


@torch.no_grad()
def test_export_captures_it(network):
    model, images, expected = network
    torch.testing.assert_close(torch.export.export(model, (images,)).module()(images), expected)


def test_no_network_is_left_out():
    defined = set()
    for info in pkgutil.iter_modules(models.__path__, "dlbook.models."):
        module = import_module(info.name)
        defined |= {
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == info.name
        }
    traced = {type(part) for make, _ in NETWORKS.values() for part in make().modules()}
    assert defined <= traced


@pytest.mark.parametrize("name", ["MLP", "Autoencoder", "CNN", "VGG"])
def test_raw_pixels_are_an_error(name):
    """Not a wrong answer: whoever forgets to scale the images hears of it from PyTorch."""
    make, shape = NETWORKS[name]
    with pytest.raises(RuntimeError):
        make()(torch.zeros(shape, dtype=torch.uint8))
