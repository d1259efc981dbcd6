"""Which data sets and weights the book knows: their files, checksums and terms.

The site's build imports this module, so it imports nothing heavy.
"""

from collections.abc import Mapping

from dlbook.data.checkpoints import Checkpoint
from dlbook.data.entries import Archive, Entry
from dlbook.data.kinds import IdxFiles
from dlbook.data.packed import IdxArchives, PickledBatches
from dlbook.data.photo_folders import PhotoFolders
from dlbook.data.standin_kinds import Digits, Pieces


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
# Photographs that scikit-image and scikit-learn carry.
_GRAY = "brick,camera,cell,clock,coins,grass,gravel,moon,page,text"
_COLORS = (
    "rocket,retina,chelsea,astronaut,coffee,hubble_deep_field,immunohistochemistry,stereo_motorcycle,"
    "china.jpg,flower.jpg"
)
_LARGE_COLORS = "astronaut,chelsea,coffee,china.jpg,flower.jpg"

_ENTRIES: tuple[Entry, ...] = (
    IdxFiles(
        name="mnist",
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
        unpacked=_MNIST_FILES,
        license="CC BY-SA 3.0",
        citation="LeCun et al.: Gradient-based learning applied to document recognition, 1998",
        homepage="http://yann.lecun.com/exdb/mnist/",
        shape=(1, 28, 28),
        counts=(60_000, 10_000),
        standin=Digits(),
    ),
    IdxArchives(
        name="fashion_mnist",
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
        license="MIT",
        citation="Xiao, Rasul, Vollgraf: Fashion-MNIST, arXiv:1708.07747, 2017",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        shape=(1, 28, 28),
        counts=(60_000, 10_000),
        standin=Pieces(tuple(_GRAY.split(",")), sides=(28, 84), counts=(120, 30)),
    ),
    PickledBatches(
        name="cifar10",
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
        license="no license stated by its authors; published for research",
        citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        shape=(3, 32, 32),
        counts=(50_000, 10_000),
        standin=Pieces(tuple(_COLORS.split(",")), sides=(32, 96), counts=(150, 50)),
    ),
    PhotoFolders(
        name="flower_photos",
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
        license="CC BY 2.0, each photograph by the author that LICENSE.txt in the archive names",
        citation="The TensorFlow Team: Flowers, January 2019",
        homepage="https://www.tensorflow.org/datasets/catalog/tf_flowers",
        shape=(3, 256, 256),
        standin=Pieces(tuple(_LARGE_COLORS.split(",")), sides=(64, 110), counts=(80, 20)),
    ),
    Checkpoint(
        name="vgg16",
        title="VGG16 trained on ImageNet",
        archives=(
            Archive(
                "vgg16-397923af.pth",
                553_433_881,
                "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            ),
        ),
        sources=("https://download.pytorch.org/models/",),
        license="BSD-3-Clause (torchvision); ImageNet's terms allow non-commercial research",
        citation="Simonyan, Zisserman: Very Deep Convolutional Networks, arXiv:1409.1556, 2014",
        homepage="https://pytorch.org/vision/stable/models/vgg.html",
    ),
)

REGISTRY: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}
