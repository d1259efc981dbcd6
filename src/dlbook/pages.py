"""Pages hand things on: a page saves weights or a table under a name, and another page loads them.

The book's build keeps the files with the page's outputs, and publishes them. It reads off the cells which
page loads what, so that it executes the one after the other: the names in a call must be written out. In a
notebook elsewhere, the same call fetches the file from the published site, by its checksum.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from dlbook.data.entries import data_directory
from dlbook.record import SavedFile

# Set by the build: the folder that this page's files go to.
SAVES = "DLBOOK_SAVES"
# Set by the build and by a published notebook, as JSON: page → name → [path or address, SHA-256].
LOADS = "DLBOOK_LOADS"
# How often another page's file is asked for again, and how many seconds a server may be silent.
_RETRIES, _TIMEOUT = 3, 30

# Tensors by name, or anything that JSON can hold.
Content: TypeAlias = Any

_saved: dict[str, SavedFile] = {}


class PageFileError(Exception):
    """A file of another page cannot be had; the message says which, and why."""


def is_built() -> bool:
    """Tell whether the book's build executes this page, and each of its cells once."""
    return SAVES in os.environ


def save(name: str, content: Content) -> None:
    """Keep something for other pages. Outside the book's build, nothing is written.

    Args:
        name: letters, digits, ``-`` and ``_``; each once a page.
        content: tensors by name, such as ``model.state_dict()``, or anything that JSON can hold.

    Raises:
        ValueError: the name has other characters, or was used before.
    """
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"a file's name has letters, digits, - and _, unlike {name!r}")
    if not is_built():
        return
    if name in _saved:
        raise ValueError(f"this page saved {name!r} before")
    file, written = _serialized(name, content)
    (Path(os.environ[SAVES]) / file).write_bytes(written)
    _saved[name] = SavedFile(file, hashlib.sha256(written).hexdigest())


def saved() -> dict[str, SavedFile]:
    """Return what this page has saved, by name."""
    return dict(_saved)


def load(page: str, name: str) -> Content:
    """Return what another page saved.

    Args:
        page: such as ``"cnn/cifar-cnn"``.
        name: that the other page saved it under.

    Returns:
        Tensors by name, on the CPU, or what JSON held.

    Raises:
        PageFileError: no such file is known here, it cannot be fetched, or its checksum is another.
    """
    known = json.loads(os.environ.get(LOADS, "{}"))
    if name not in known.get(page, {}):
        raise PageFileError(
            f"no file {name!r} of the page {page} is known here. It is where the book is built, by make, "
            "and in the notebooks of its published site."
        )
    address, sha256 = known[page][name]
    path = _fetched(address, sha256) if address.startswith(("http://", "https://")) else Path(address)
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PageFileError(f"{path}, which {page} saved as {name!r}, is damaged: its checksum is another")
    return _deserialized(path.suffix, content)


def _fetched(address: str, sha256: str) -> Path:
    import pooch

    name = f"{sha256}{Path(address).suffix}"
    kept = pooch.create(
        path=data_directory() / "pages",
        base_url="",
        registry={name: f"sha256:{sha256}"},
        urls={name: address},
        retry_if_failed=_RETRIES,
    )
    try:
        return Path(kept.fetch(name, downloader=pooch.HTTPDownloader(timeout=_TIMEOUT)))
    except (OSError, ValueError) as error:  # no network, a full disk; another checksum
        raise PageFileError(f"{address} cannot be had: {error}") from error


def _serialized(name: str, content: Content) -> tuple[str, bytes]:
    """Return the file's name and its bytes."""
    if isinstance(content, Mapping) and all(hasattr(value, "data_ptr") for value in content.values()):
        from safetensors.torch import save as as_bytes

        tensors = {key: value.detach().cpu().contiguous() for key, value in content.items()}
        return f"{name}.safetensors", as_bytes(tensors)
    return f"{name}.json", json.dumps(content, ensure_ascii=False).encode()


def _deserialized(kind: str, content: bytes) -> Content:
    if kind == ".json":
        return json.loads(content)
    from safetensors.torch import load as from_bytes

    return from_bytes(content)
