"""Tiny versions of the data sets, in the formats that their sources serve."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from PIL import Image

from dlbook.data.entries import Archive
from dlbook.data.registry import REGISTRY

Files = dict[str, bytes]
# A file is written for each example: on a busy disk that takes as long as it takes.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# The pickler that is written in Python, whose parts can be replaced, has no types.
PythonPickler: Any = pickle._Pickler


class Python2Pickler(PythonPickler):
    """Writes byte strings as Python 2 did, which is how CIFAR-10 was pickled."""

    dispatch = PythonPickler.dispatch.copy()

    def save_bytes(self, text: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)
        self.memoize(text)

    dispatch[bytes] = save_bytes

    def save_global(self, found: Any, name: str | None = None) -> None:
        module = found.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{found.__name__}\n".encode())
        self.memoize(found)

    dispatch[type] = save_global
    dispatch[type(lambda: 0)] = save_global
    dispatch[type(np.empty(0).__reduce__()[0])] = save_global


def python2_pickle(content: object) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue()


def idx(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def tar(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(stream.getvalue(), mtime=0)


def digits(seed: int) -> Files:
    """Twenty training and ten test images of 28×28, under MNIST's names."""
    random = np.random.default_rng(seed)
    made = {}
    for prefix, count in (("train", 20), ("t10k", 10)):
        made[f"{prefix}-images-idx3-ubyte"] = idx(random.integers(0, 256, (count, 28, 28)))
        made[f"{prefix}-labels-idx1-ubyte"] = idx(np.arange(count) % 10)
    return made


def cifar10() -> bytes:
    """Twenty training and five test images, in CIFAR-10's layout."""
    random = np.random.default_rng(2)
    batches = {}
    for name, count in [(f"data_batch_{number}", 4) for number in range(1, 6)] + [("test_batch", 5)]:
        pixels = random.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = random.integers(0, 10, count).tolist()
        batches[f"cifar-10-batches-py/{name}"] = python2_pickle({b"data": pixels, b"labels": labels})
    return tar(batches | {"cifar-10-batches-py/readme.html": b"<p>read me</p>"})


def jpeg(random: np.random.Generator, height: int = 24, width: int = 30) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(stream, "jpeg")
    return stream.getvalue()


def flower_photos() -> Files:
    """Forty photographs, eight a class."""
    random = np.random.default_rng(3)
    entry: Any = REGISTRY["flower_photos"]
    return {f"flower_photos/{name}/{i}.jpg": jpeg(random) for name in entry.classes for i in range(8)}


def tiny_world() -> tuple[dict[str, Any], dict[str, Files]]:
    """Return entries for the registry, without sources, and each one's archives."""
    mnist, fashion = digits(0), digits(1)
    archives = {
        "mnist": {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in mnist.items()},
        "fashion_mnist": {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in fashion.items()},
        "cifar10": {"cifar-10-python.tar.gz": cifar10()},
        "flower_photos": {
            "flower_photos.tgz": tar({"flower_photos/LICENSE.txt": b"CC BY"} | flower_photos())
        },
    }
    entries = {name: tiny_entry(name, files) for name, files in archives.items()}
    checksums = {f"MNIST/raw/{name}": hashlib.sha256(content).hexdigest() for name, content in mnist.items()}
    entries["mnist"] = replace(entries["mnist"], unpacked=checksums)
    entries["fashion_mnist"] = replace(entries["fashion_mnist"], counts=(20, 10))
    entries["cifar10"] = replace(entries["cifar10"], counts=(20, 5))
    entries["flower_photos"] = replace(entries["flower_photos"], shape=(3, 16, 16))
    return entries, archives


def tiny_entry(name: str, files: Files) -> Any:
    described = tuple(
        Archive(file, len(content), hashlib.sha256(content).hexdigest()) for file, content in files.items()
    )
    return replace(REGISTRY[name], archives=described, sources=())


def final_files(name: str) -> list[Path]:
    """Return the paths, below the data directory, of what is made of a data set."""
    entry = REGISTRY[name]
    return [file.relative_to(entry.directory) for file in entry.files]


def mutate(good: bytes, draw: st.DataObject, header: int) -> bytes:
    """Change bytes at a place that is as often in the header as behind it."""
    limit = draw.draw(st.sampled_from([min(header, len(good) - 1), len(good) - 1]))
    place = draw.draw(st.integers(0, limit))
    new = draw.draw(st.binary(max_size=8))
    dropped = draw.draw(st.sampled_from([0, len(new), 1, len(good)]))
    return good[:place] + new + good[place + dropped :]
