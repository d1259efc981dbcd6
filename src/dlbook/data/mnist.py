"""MNIST's idx files: fetching, checking, reading."""

from pathlib import Path

import pooch
import requests
from torchvision.datasets import MNIST
from torchvision.datasets.mnist import read_image_file, read_label_file

from dlbook.data.dataset import DataError, Split
from dlbook.data.registry import REGISTRY

_TIMEOUT_SECONDS = 20


def fetch(directory: Path) -> None:
    """Download and extract the four files below ``directory``, from the first mirror that has them.

    torchvision knows each archive's checksum; pooch downloads with a progress bar, checks, and renames
    an archive to its final name only when it is whole.

    Raises:
        requests.RequestException: no mirror answered; the last one's error.
        OSError: the folder cannot be written.
        DataError: a mirror sent wrong bytes.
    """
    pooch.get_logger().setLevel("WARNING")  # the progress bar says enough, and leaves no trace in a page
    raw = directory / "MNIST" / "raw"
    unreachable: requests.RequestException | None = None
    for mirror in REGISTRY["mnist"].sources:
        try:
            return _fetch_from(mirror, raw)
        except requests.RequestException as error:
            unreachable = error
    raise unreachable or requests.RequestException("no source is known")


def _fetch_from(mirror: str, raw: Path) -> None:
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=_TIMEOUT_SECONDS)
    for archive, md5 in MNIST.resources:
        try:
            pooch.retrieve(
                mirror + archive,
                known_hash=f"md5:{md5}",
                fname=archive,
                path=raw,
                downloader=downloader,
                processor=pooch.Decompress(name=Path(archive).stem),
            )
        except ValueError as mismatch:
            raise DataError(f"{mirror} sent wrong bytes, and nothing was kept: {mismatch}") from mismatch


def read(directory: Path) -> tuple[Split, Split]:
    """Read the extracted files below ``directory``.

    Returns:
        The training split, images (60000, 1, 28, 28) uint8, and the test split (10000, 1, 28, 28).

    Raises:
        DataError: a file is not, byte for byte, what it should be.
    """
    for file, sha256 in REGISTRY["mnist"].files.items():
        _require_checksum(directory / file, sha256)
    raw = directory / "MNIST" / "raw"
    return _read_split(raw, "train"), _read_split(raw, "t10k")


def _read_split(raw: Path, prefix: str) -> Split:
    images = read_image_file(str(raw / f"{prefix}-images-idx3-ubyte"))
    labels = read_label_file(str(raw / f"{prefix}-labels-idx1-ubyte"))
    return Split(images.unsqueeze(1), labels, REGISTRY["mnist"].classes)


def _require_checksum(path: Path, sha256: str) -> None:
    found = pooch.file_hash(str(path))
    if found != sha256:
        raise DataError(
            f"{path} is damaged: its SHA-256 is {found}, it should be {sha256}. "
            "Delete the file; the next run fetches it again."
        )
