"""What the outputs of a page depend on, and the key that the cache keeps them under.

jupyter-cache keys an executed notebook on its code cells and its ``kernelspec``, and on nothing else. After a
change in `dlbook` it would hand out stale outputs. So a fingerprint of all else goes into the kernelspec. The
same fingerprint brings the same outputs back: an undone change executes nothing.
"""

import functools
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import yaml
from jupyter_cache.cache.main import JupyterCacheBase

from bookbuild import opencv
from bookbuild.book import FRONT_MATTER, REMEDY, Book, BookError, Page
from bookbuild.run.dependencies import (
    DependencyError,
    code_checksum,
    loaded_data_sets,
    page_files,
    reachable,
    require_readable,
    syntax_trees,
)
from bookbuild.run.isolation import ARGUMENTS, FIGURES, processor_limits, shared_settings
from dlbook.data.registry import REGISTRY

PACKAGE = "dlbook"

# The packages whose version can change a number or a figure, by the name that code imports them under.
COMPUTING_PACKAGES = {
    "PIL": "pillow",
    "cv2": opencv.PACKAGE,
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "torchvision": "torchvision",
}
# Packages that fetch, keep or tell: what a page shows does not depend on their versions.
OTHER_PACKAGES = {
    "IPython",
    "filelock",
    "platformdirs",
    "pooch",
    "requests",
    "safetensors",
    "tqdm",
    "urllib3",
}
# PyTorch finds a GPU on Linux only where its driver shows one of these.
GPU_DEVICES = ("nvidia*", "dxg", "kfd")
DEVICE_KINDS = ("cuda", "mps", "cpu")

# What a fingerprint says of data that are not on the machine.
MISSING = "stand-in"

Fingerprint = dict[str, Any]


def package_folder() -> Path:
    """Return the folder of the `dlbook` that the kernels will import."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise BookError("dlbook is not installed here: run `make env`")
    return Path(spec.origin).parent


def locked_versions(root: Path) -> dict[str, str]:
    """Return package → version as the lock files in ``root`` say; several, where it depends on Python's."""
    found: dict[str, set[str]] = {}
    for lock in root.glob("requirements*.txt"):
        for name, version in re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock.read_text(), re.MULTILINE):
            found.setdefault(name, set()).add(version)
    return {name: " or ".join(sorted(versions)) for name, versions in found.items()}


def installed_version(distribution: str) -> str:
    """Return the version of a package here; for OpenCV any of its packages will do.

    Raises:
        BookError: it is not installed.
    """
    for name in opencv.PACKAGES if distribution == opencv.PACKAGE else (distribution,):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    raise BookError(f"{distribution} is not installed here: run `make --always-make env`")


@functools.cache
def device_kind() -> str:
    """Return ``cpu``, ``cuda`` or ``mps``, as the kernels will choose it."""
    requested = os.environ.get("DLBOOK_DEVICE")
    if requested:
        return requested
    if sys.platform == "linux" and not any(any(Path("/dev").glob(name)) for name in GPU_DEVICES):
        return "cpu"  # without loading PyTorch, which takes longer than everything else here
    code = "from dlbook import runtime; print(runtime.current().device.type)"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


class Keys:
    """The fingerprints and keys of a book's pages, as its code, its data and this machine are now."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.package = package_folder()
        self.versions = locked_versions(book.root)
        self.chosen: dict[str, Fingerprint] = {}
        self.trees = {name: syntax_trees(page.code) for name, page in book.notebooks.items()}

    def fingerprint(self, docname: str) -> Fingerprint:
        """Return what the outputs of a page depend on, beside its cells."""
        if docname not in self.chosen:
            self.chosen[docname] = self._fingerprint(docname)
        return self.chosen[docname]

    def _fingerprint(self, docname: str) -> Fingerprint:
        modules, packages = reachable(self.trees[docname], self.package)
        require_known(docname, packages)
        return {
            "device": device_kind(),
            "data": {name: REGISTRY[name].state() for name in sorted(self.data_sets(docname))},
            "packages": {name: self._version(name) for name in sorted(_distributions(packages))},
            "modules": {name: code_checksum(modules[name]) for name in sorted(modules)}
            | {file.name: file_checksum(file) for file in (*files_beside(modules.values()), FIGURES)},
            "pages": {name: self.key(name) for name in sorted(self.needs(docname))},
            "settings": settings(),
        }

    def candidates(self, docname: str, any_device: bool) -> Iterator[Fingerprint]:
        """Yield the fingerprints of outputs that are as good as this machine's own, the best first.

        Data that this machine lacks may have been there when a page was executed.

        Args:
            docname: of the page.
            any_device: whether another kind of device may have computed them, from the original data.
        """
        own = self._fingerprint(docname)
        if any_device:
            for device in DEVICE_KINDS:
                yield own | {
                    "device": device,
                    "data": dict.fromkeys(own["data"], "original"),
                    "settings": start(),
                }
            return
        without = self.book.settings.published_without
        for stay in (frozenset[str](), without):
            yield own | {"data": {name: _hoped(state, name in stay) for name, state in own["data"].items()}}

    def key(self, docname: str) -> str:
        """Return what jupyter-cache calls a page's hash key."""
        hashed = JupyterCacheBase(self.book.cache_folder).create_hashed_notebook(self.notebook(docname))
        return str(hashed[1])

    def notebook(self, docname: str) -> nbformat.NotebookNode:
        """Return a page with its fingerprint, to be executed."""
        return self.book.notebooks[docname].notebook(self.fingerprint(docname))

    def files(self, docname: str) -> list[Path]:
        """Return the files of the package that a page runs or reads."""
        modules, _ = reachable(self.trees[docname], self.package)
        return [*modules.values(), *files_beside(modules.values())]

    def data_sets(self, docname: str) -> set[str]:
        """Return the registered data sets that a page loads."""
        return loaded_data_sets(self.trees[docname]) & REGISTRY.keys()

    def needs(self, docname: str) -> set[str]:
        """Return the pages whose files a page loads.

        Raises:
            BookError: the book has no such page, that page saves no such file, or pages need each other.
        """
        return {page for page, _ in self._loads(docname)}

    def order(self) -> list[str]:
        """Return all pages with cells, each behind those that it needs; else in the order of the contents."""
        done: list[str] = []

        def visit(docname: str, above: tuple[str, ...]) -> None:
            if docname in above:
                raise BookError(f"pages need each other's files in a circle: {' → '.join([*above, docname])}")
            for needed in sorted(self.needs(docname)):
                visit(needed, (*above, docname))
            if docname not in done:
                done.append(docname)

        for docname in self.book.notebooks:
            visit(docname, ())
        return done

    def _loads(self, docname: str) -> list[tuple[str, ...]]:
        try:
            require_readable(self.trees[docname])
            loads = page_files(self.trees[docname], "load")
            for page, file in loads:
                if page not in self.trees:
                    raise BookError(f"{docname} loads a file of {page}, and the book has no such page")
                if (file,) not in page_files(self.trees[page], "save"):
                    raise BookError(f"{docname} loads the file {file!r} of {page}, which saves no such file")
        except DependencyError as error:
            raise BookError(f"{docname}: {error}") from error
        return loads

    def _version(self, distribution: str) -> str:
        """Return what is locked, the same on all machines; and what is installed, where that is not it."""
        installed, locked = installed_version(distribution), self.versions.get(distribution, "")
        same = {version.partition("+")[0] for version in locked.split(" or ")}
        if installed.partition("+")[0] in same:
            return locked
        return f"{installed} in place of {locked}" if locked else installed


def require_known(docname: str, packages: set[str]) -> None:
    """Raise a `BookError` where a page imports what no part of its key stands for."""
    unknown = packages - COMPUTING_PACKAGES.keys() - OTHER_PACKAGES - sys.stdlib_module_names
    if unknown:
        raise BookError(
            f"{docname} imports {', '.join(sorted(unknown))}, of which its key knows nothing, so that its "
            f"outputs would stay when that changes. A module of your own belongs into {PACKAGE}; a package, "
            f"into COMPUTING_PACKAGES in {Path(__file__).name}"
        )


def files_beside(modules: Iterable[Path]) -> list[Path]:
    """Return what a package carries in the folders of these modules but code, such as trained weights."""
    folders = {module.parent for module in modules if module.name == "__init__.py"}
    kinds = {".py", ".pyc", ".md"}
    return sorted(
        file for folder in folders for file in folder.iterdir() if file.is_file() and file.suffix not in kinds
    )


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file, shortened."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _hoped(state: str, stays: bool) -> str:
    """Return the state of a data set as a machine that has it would see it."""
    return "original" if state == MISSING and not stays else state


def _distributions(packages: Iterable[str]) -> set[str]:
    return {COMPUTING_PACKAGES[name] for name in packages if name in COMPUTING_PACKAGES}


def start() -> dict[str, str]:
    """Return how a kernel is started, on every machine."""
    return {"the kernel's arguments": hashlib.sha256("\n".join(ARGUMENTS).encode()).hexdigest()}


def settings() -> dict[str, str]:
    """Return what else a kernel is told: how it is started, and what this machine tells all kernels."""
    shared = {str(file): file_checksum(file) for file in shared_settings()}
    return shared | processor_limits() | start()


def with_fingerprint(page: Page, fingerprint: Fingerprint) -> str:
    """Return a page's source with a fingerprint in its kernelspec, and every line in its place."""
    matter = FRONT_MATTER.match(page.source)
    if matter is None:  # `Page` has read it already, and would have said so
        raise BookError(f"{page.path} begins with no front matter. {REMEDY}")
    said = yaml.safe_load(matter.group(1))
    said["kernelspec"] = {**said.get("kernelspec", {}), "fingerprint": fingerprint}
    # JSON is YAML, in one line; the others are padded.
    padding = "\n" * (matter.group().count("\n") - 2)
    return f"---\n{json.dumps(said, default=str)}{padding}---\n{page.source[matter.end() :]}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Say what differs between two fingerprints, in words for the builder."""
    found = [f"device {before['device']} → {after['device']}"] if before["device"] != after["device"] else []
    for part in ("data", "packages", "modules", "pages", "settings"):
        then, now = before.get(part, {}), after.get(part, {})  # an earlier version knew fewer parts
        found += [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    return found
