"""The weights that the book ships: README.md beside this file says what they are and how they came."""

import hashlib
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torchvision.transforms import v2

from dlbook import models
from dlbook.models.vgg import VGG

VGG_CIFAR10 = Path(__file__).with_name("vgg_cifar10.safetensors")
VGG_CIFAR10_SHA256 = "d5b008cca54f2bfac161d10ba90a5fbd070c201cf0dfc2ab26a9a53139858dd8"


class WeightsError(Exception):
    """The shipped file is missing or not, byte for byte, what it should be."""


@dataclass(frozen=True, repr=False)
class Pretrained:
    """A network with the weights that training gave it, and what they need to be used.

    Attributes:
        network: in evaluation mode.
        mean: per channel, of its training images on a scale from 0 to 1.
        std: likewise.
        card: what the file says of itself, such as ``test_accuracy``.
    """

    network: VGG
    mean: tuple[float, ...]
    std: tuple[float, ...]
    card: Mapping[str, str]

    def transform(self, size: int) -> v2.Compose:
        """Return the preprocessing: images (N, 3, H, W) uint8, resized to ``size``×``size``, standardized."""
        return v2.Compose(
            [
                v2.Resize((size, size), antialias=True),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(list(self.mean), list(self.std)),
            ]
        )

    def __repr__(self) -> str:
        return (
            f"A small VGG of {models.count_parameters(self.network):,} parameters, trained for this book on "
            f"CIFAR-10, where it names {float(self.card['test_accuracy']):.2%} of the test images. "
            "It is not ImageNet's VGG16."
        )

    def _repr_html_(self) -> str:
        return (
            '<div class="admonition important"><p class="admonition-title">The network on this page</p>'
            f"<p>{html.escape(repr(self))}</p></div>"
        )


def vgg_cifar10() -> Pretrained:
    """Return the small VGG that learned CIFAR-10.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    _require_checksum(VGG_CIFAR10, VGG_CIFAR10_SHA256)
    with safe_open(VGG_CIFAR10, "pt") as file:
        card = file.metadata()
        # The file was written when the last part of a VGG still had another name.
        state = {
            name.replace("head.", "classifier."): file.get_tensor(name)
            for name in file.keys()  # noqa: SIM118 (not a mapping)
        }
    network = VGG(json.loads(card["layers"]))
    network.load_state_dict(state)  # from float16 to the network's float32
    return Pretrained(network.eval(), tuple(json.loads(card["mean"])), tuple(json.loads(card["std"])), card)


def _require_checksum(path: Path, sha256: str) -> None:
    if not path.exists():
        raise WeightsError(f"{path} is missing: install dlbook again")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise WeightsError(f"{path} is damaged: its SHA-256 is {found}, it should be {sha256}")
