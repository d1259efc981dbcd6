"""VGG from a list of numbers, and torchvision's VGG16 by its real loading path."""

import pytest
import torch
from torch import nn
from torchvision.models import VGG16_Weights, vgg16, vgg16_bn

from dlbook.data import DataError, fetching
from dlbook.data.checkpoints import Checkpoint
from dlbook.data.source import NoSource
from dlbook.models import copy_weights, count_parameters, vgg
from dlbook.models.vgg import VGG
from dlbook.transfer import Frozen, changed_values

FIVE_BLOCKS = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


@pytest.fixture
def small():
    return VGG((4, "M", 6, 6), class_count=3).eval()


@pytest.mark.slow
def test_its_convolutions_compute_what_torchvisions_do():
    """The same list, the same weights, the same maps."""
    theirs = vgg16_bn(weights=None).features.eval()
    ours = VGG(FIVE_BLOCKS).features.eval()
    convolutions = [m for m in theirs if isinstance(m, nn.Conv2d)]
    for mine, other in zip([m for m in ours if isinstance(m, nn.Conv2d)], convolutions, strict=True):
        mine.weight.data.copy_(other.weight)
        other.bias.data.zero_()
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(ours(images), theirs(images))


def test_images_of_any_size_give_features_of_one_length(small):
    for size in (8, 17, 64):
        assert small.penultimate(torch.rand(2, 3, size, size)).shape == (2, 6)
    assert small(torch.rand(2, 3, 8, 8)).shape == (2, 3)


def test_the_last_block_is_what_the_linear_layer_sees(small):
    images = torch.rand(5, 3, 16, 16)
    maps = small.blocks(images)
    assert [block.shape for block in maps] == [(5, 4, 16, 16), (5, 6, 8, 8), (5, 6, 8, 8)]
    torch.testing.assert_close(maps[-1].mean(dim=(2, 3)), small.penultimate(images))
    torch.testing.assert_close(small.classifier(small.penultimate(images)), small(images))


def test_later_layers_leave_earlier_maps_alone(small):
    images = torch.rand(1, 3, 8, 8)
    first = small.features[2](small.features[1](small.features[0](images)))
    torch.testing.assert_close(small.blocks(images)[0], first)


def test_looking_at_the_blocks_leaves_the_images_alone(small):
    images = torch.rand(2, 3, 8, 8)
    before = images.clone()
    small.blocks(images)
    assert torch.equal(images, before)


@pytest.mark.parametrize("layers", [(4, "X"), (0,), (), ("M",)])
def test_a_list_that_describes_no_network_is_refused(layers):
    with pytest.raises(ValueError, match=r"layer|width|class"):
        VGG(layers)


def test_a_dropout_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="dropout"):
        VGG(dropout=1.0)


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    monkeypatch.setattr(Checkpoint, "is_published", lambda entry, file: True)  # which these weights are not
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


def lay_checkpoint(torch_home, **changes):
    """Write a checkpoint with VGG16's names and shapes; a tensor's one value repeats, so it is small."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in vgg16().state_dict().items()}
    shapes |= changes
    values = torch.rand(len(shapes), generator=torch.Generator().manual_seed(0))
    state = {
        name: value.clone().expand(shape) for (name, shape), value in zip(shapes.items(), values, strict=True)
    }
    path = torch_home / "hub" / "checkpoints" / "vgg16-397923af.pth"
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    assert path.stat().st_size < 1e6
    return state


@pytest.mark.slow
def test_imagenets_weights_are_taken_from_torch_home(torch_home):
    """The real path: torchvision finds the checkpoint, and every tensor lands in its place."""
    expected = lay_checkpoint(torch_home)
    network = vgg.load("vgg16")
    assert not network.training
    assert count_parameters(network) == 138_357_544
    state = network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    # The weights' own preprocessing, and the penultimate features: the network without its last layer.
    transform = VGG16_Weights.IMAGENET1K_V1.transforms()
    network.classifier = network.classifier[:-1]
    with torch.no_grad():
        images = transform(torch.zeros(1, 3, 256, 256, dtype=torch.uint8))
        assert images.shape == (1, 3, 224, 224)
        assert network(images).shape == (1, 4096)


@pytest.mark.slow
def test_a_checkpoint_of_other_shapes_is_an_error(torch_home):
    lay_checkpoint(torch_home, **{"classifier.6.weight": (5, 4096)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        vgg.load("vgg16")


@pytest.mark.slow
def test_a_probe_on_imagenets_features_moves_none_of_its_weights(torch_home):
    """As the chapter does it: without the last layer, frozen, a linear layer of 20,485 numbers on top."""
    lay_checkpoint(torch_home)
    network = vgg.load("vgg16")
    network.classifier = network.classifier[:-1]
    before = copy_weights(network)
    model = nn.Sequential(Frozen(network), nn.Linear(4096, 5))
    assert count_parameters(model) == 20_485
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        loss = nn.functional.cross_entropy(model.train()(torch.rand(1, 3, 32, 32)), torch.tensor([1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert changed_values(before, network) == 0


def test_without_checkpoint_and_server_there_is_no_imagenet(torch_home, monkeypatch):
    def refuse(*arguments):
        raise NoSource("no network")

    monkeypatch.setattr(fetching, "fetch", refuse)
    with pytest.raises(DataError, match=r"VGG16.*no network"):
        vgg.load("vgg16")


def test_another_name_is_refused():
    with pytest.raises(DataError, match="unknown weights 'vgg19'"):
        vgg.load("vgg19")


def test_its_last_linear_layer_has_torchvisions_name():
    """So the same lines replace it in both networks."""
    with torch.device("meta"):
        networks = VGG(), vgg16()
    for network in networks:
        network.classifier[-1] = nn.Linear(network.classifier[-1].in_features, 5)
        assert network.features is not None
        assert network.classifier[-1].out_features == 5
