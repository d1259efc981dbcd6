"""Which data sets the book knows: their files, checksums and terms, and where they are kept.

The site's build reads this file by itself, so it imports nothing heavy and nothing of `dlbook`.
"""

import hashlib
import json
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

# Beside photographs that were unpacked from the official archive: their listing at that time.
ORIGIN = ".unpacked"


@dataclass(frozen=True)
class Archive:
    """A file as its source serves it.

    Attributes:
        name: its name, below each of the entry's sources.
        size: its length in bytes.
        sha256: its checksum, 64 hexadecimal digits.
    """

    name: str
    size: int
    sha256: str

    @property
    def largest(self) -> int:
        """The most bytes that it may unpack to; more is a bomb."""
        return 10 * self.size + 1_000_000


@dataclass(frozen=True)
class Entry:
    """One data set, or one set of trained weights.

    Attributes:
        title: its name in prose.
        classes: the name of each label.
        archives: what is fetched.
        sources: folders on the web that hold the archives, the official one first.
        layouts: paths below the data directory; where all of one group exist, the data are there.
        files: path below the data directory, and SHA-256, of files that are kept as they were published.
        license: its terms.
        citation: who made it, and where they describe it.
        homepage: where it is described.
        shape: channels, height and width of an image; empty for weights.
        counts: training and test images; empty where they depend on what is found.
    """

    title: str
    classes: tuple[str, ...]
    archives: tuple[Archive, ...]
    sources: tuple[str, ...]
    layouts: tuple[tuple[str, ...], ...]
    license: str
    citation: str
    homepage: str
    files: Mapping[str, str]
    shape: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()


def cache_files(name: str) -> tuple[str, str]:
    """Return where a data set's tensor cache lies, below the data directory: training and test split."""
    return f"{name}/train.safetensors", f"{name}/test.safetensors"


def _idx(*sizes_and_checksums: tuple[int, str]) -> tuple[Archive, ...]:
    """Return the four archives that MNIST and its kin consist of."""
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    facts = zip(names, sizes_and_checksums, strict=True)
    return tuple(Archive(f"{name}-ubyte.gz", size, sha256) for name, (size, sha256) in facts)


# The layout is torchvision's own, so that its copy and ours are one.
_MNIST_FILES = {
    "MNIST/raw/train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "MNIST/raw/train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "MNIST/raw/t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "MNIST/raw/t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_FASHION = "T-shirt/top,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle boot"
_CIFAR10 = "airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck"
_FLOWERS = "daisy,dandelion,roses,sunflowers,tulips"
_VGG16 = "vgg16-397923af.pth"

REGISTRY: Mapping[str, Entry] = {
    "mnist": Entry(
        title="MNIST",
        classes=tuple("0123456789"),
        archives=_idx(
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        sources=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        layouts=(tuple(_MNIST_FILES),),
        files=_MNIST_FILES,
        license="CC BY-SA 3.0",
        citation="LeCun et al.: Gradient-based learning applied to document recognition, 1998",
        homepage="http://yann.lecun.com/exdb/mnist/",
        shape=(1, 28, 28),
        counts=(60_000, 10_000),
    ),
    "fashion_mnist": Entry(
        title="Fashion-MNIST",
        classes=tuple(_FASHION.split(",")),
        archives=_idx(
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        sources=(
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        layouts=(cache_files("fashion_mnist"),),
        files={},
        license="MIT",
        citation="Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv:1708.07747, 2017",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        shape=(1, 28, 28),
        counts=(60_000, 10_000),
    ),
    "cifar10": Entry(
        title="CIFAR-10",
        classes=tuple(_CIFAR10.split(",")),
        archives=(
            Archive(
                "cifar-10-python.tar.gz",
                170_498_071,
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
        ),
        sources=(
            "https://www.cs.toronto.edu/~kriz/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
        layouts=(cache_files("cifar10"),),
        files={},
        license="no license stated by its authors; published for research",
        citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        shape=(3, 32, 32),
        counts=(50_000, 10_000),
    ),
    "flower_photos": Entry(
        title="Flower photos",
        classes=tuple(_FLOWERS.split(",")),
        archives=(
            Archive(
                "flower_photos.tgz",
                228_813_984,
                "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
            ),
        ),
        sources=(
            "http://download.tensorflow.org/example_images/",
            "https://storage.googleapis.com/download.tensorflow.org/example_images/",
        ),
        layouts=(
            cache_files("flower_photos"),
            tuple(f"flower_photos/{name}" for name in _FLOWERS.split(",")),
        ),
        files={},
        license="CC BY 2.0, each photograph by the author that LICENSE.txt in the archive names",
        citation="The TensorFlow Team: Flowers, January 2019",
        homepage="https://www.tensorflow.org/datasets/catalog/tf_flowers",
        shape=(3, 256, 256),
    ),
    "vgg16": Entry(
        title="VGG16 trained on ImageNet",
        classes=(),
        archives=(
            Archive(
                _VGG16,
                553_433_881,
                "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            ),
        ),
        sources=("https://download.pytorch.org/models/",),
        layouts=((_VGG16,),),
        files={_VGG16: "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"},
        license="BSD-3-Clause (torchvision); ImageNet's terms allow non-commercial research",
        citation="Simonyan, Zisserman: Very Deep Convolutional Networks, arXiv:1409.1556, 2014",
        homepage="https://pytorch.org/vision/stable/models/vgg.html",
    ),
}


def data_directory() -> Path:
    """Return where data sets are kept: ``DLBOOK_DATA``, else the platform's cache folder of the user."""
    chosen = os.environ.get("DLBOOK_DATA")
    return Path(chosen).expanduser() if chosen else user_cache_path("dlbook")


def home(name: str) -> Path:
    """Return the folder that an entry's paths start from.

    Weights lie where torchvision looks for them (``TORCH_HOME``), so that its copy and ours are one.
    """
    if REGISTRY[name].shape:
        return data_directory()
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"


def is_present(name: str) -> bool:
    """Tell whether an entry's files are on this machine; not, whether they are whole."""
    return any(all((home(name) / path).exists() for path in layout) for layout in REGISTRY[name].layouts)


def state(name: str) -> str:
    """Say what `load` would find on this machine, without reading the data.

    Returns:
        ``original``; ``copy`` with eight digits that tell copies apart; or ``stand-in`` where nothing is.
    """
    if not is_present(name):
        return "stand-in"
    if REGISTRY[name].files:
        return "original"
    said = cache_metadata(data_directory() / cache_files(name)[0])
    listing = photo_listing(data_directory() / name, REGISTRY[name].classes)
    if listing:
        said = {"source_sha256": listing, "origin": photo_origin(data_directory() / name, listing)}
    if said.get("origin") == "original":
        return "original"
    identity = said.get("source_sha256") or said.get("source", "")
    return f"copy {hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def cache_metadata(path: Path) -> dict[str, str]:
    """Return what a safetensors file says of itself; nothing, where it cannot be read."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(min(length, 1_000_000)))
        return dict(header.get("__metadata__", {}))
    except (OSError, ValueError, struct.error, AttributeError, TypeError):
        return {}


def photo_listing(folder: Path, classes: Sequence[str]) -> str | None:
    """Return a checksum of the photographs' names and sizes; None where a class has no folder."""
    if not all((folder / name).is_dir() for name in classes):
        return None
    facts = sorted(
        f"{name}/{photo.name} {photo.stat().st_size}"
        for name in classes
        for photo in os.scandir(folder / name)
    )
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def photo_origin(folder: Path, listing: str) -> str:
    """Tell whether photographs are those that were unpacked from the official archive, and no others."""
    marker = folder / ORIGIN
    return "original" if marker.is_file() and marker.read_text().strip() == listing else "copy"
