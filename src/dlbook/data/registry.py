"""Which data sets the book knows: their files, checksums and terms, and where they are kept.

The site's build reads this file by itself, so it imports nothing heavy and nothing of `dlbook`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path


@dataclass(frozen=True)
class Entry:
    """One data set.

    Attributes:
        title: its name in prose.
        classes: the name of each label.
        files: path below the data directory, and SHA-256 of the extracted file.
        sources: folders on the web that hold the archives, in the order to try them.
        license: its terms.
        homepage: where it is described.
    """

    title: str
    classes: tuple[str, ...]
    files: Mapping[str, str]
    sources: tuple[str, ...]
    license: str
    homepage: str


REGISTRY: Mapping[str, Entry] = {
    "mnist": Entry(
        title="MNIST",
        classes=tuple("0123456789"),
        # The layout is torchvision's own, so that its copy and ours are one.
        files={
            "MNIST/raw/train-images-idx3-ubyte": (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
            ),
            "MNIST/raw/train-labels-idx1-ubyte": (
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
            ),
            "MNIST/raw/t10k-images-idx3-ubyte": (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
            ),
            "MNIST/raw/t10k-labels-idx1-ubyte": (
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
            ),
        },
        sources=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        license="CC BY-SA 3.0",
        homepage="http://yann.lecun.com/exdb/mnist/",
    ),
}


def data_directory() -> Path:
    """Return where data sets are kept: ``DLBOOK_DATA``, else the platform's cache folder of the user."""
    chosen = os.environ.get("DLBOOK_DATA")
    return Path(chosen).expanduser() if chosen else user_cache_path("dlbook")


def is_present(name: str) -> bool:
    """Tell whether all files of a registered data set are in the data directory; not, if they are whole."""
    return all((data_directory() / file).exists() for file in REGISTRY[name].files)
