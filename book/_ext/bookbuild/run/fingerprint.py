"""Tell the execution cache what a chapter depends on besides its own cells.

jupyter-cache keys an executed notebook on its code cells and its ``kernelspec``, and on nothing else.
After a change in `dlbook` it would hand out stale outputs. So this extension writes a fingerprint into
the kernelspec of each chapter as Sphinx reads it, and reports the chapters whose fingerprint changed.
The same fingerprint brings the same outputs back: an undone change executes nothing.
"""

import functools
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import requests
import yaml
from chapters import (
    FRONT_MATTER,
    KERNELSPEC,
    cached_record,
    execution_cache,
    is_chapter,
    notebook_of,
    source_of,
)
from docutils import nodes
from imports import chapter_trees, code_checksum, loaded_data_sets, reachable
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
PACKAGE = "dlbook"

# The packages whose version can change a number or a figure, by the name that code imports them under.
COMPUTING_PACKAGES = {
    "cv2": "opencv-python",
    "matplotlib": "matplotlib",
    "numpy": "numpy",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "torch": "torch",
    "torchvision": "torchvision",
}
# PyTorch finds a GPU on Linux only where its driver shows one of these.
GPU_DEVICES = ("nvidia*", "dxg", "kfd")
DEVICE_KINDS = ("cuda", "mps", "cpu")

Fingerprint = dict[str, Any]


def package_folder() -> Path:
    """Return the folder of the `dlbook` that the kernels will import, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("dlbook is not installed here: run `make env`")
    return Path(spec.origin).parent


def load_registry(package: Path) -> ModuleType:
    """Load `dlbook.data.registry` alone: to import it by its name would load PyTorch."""
    name = "dlbook_registry"
    spec = importlib.util.spec_from_file_location(name, package / "data" / "registry.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def locked_versions(root: Path) -> dict[str, str]:
    """Return package → version as the lock files in ``root`` say; several, where it depends on Python's."""
    found: dict[str, set[str]] = {}
    for lock in root.glob("requirements*.txt"):
        for name, version in re.findall(r"^([\w.-]+)==([\w.+!-]+)", lock.read_text(), re.MULTILINE):
            found.setdefault(name, set()).add(version)
    return {name: " or ".join(sorted(versions)) for name, versions in found.items()}


def device_kind() -> str:
    """Return ``cpu``, ``cuda`` or ``mps``, as the kernels will choose it."""
    requested = os.environ.get("DLBOOK_DEVICE")
    if requested:
        return requested
    if sys.platform == "linux" and not any(any(Path("/dev").glob(name)) for name in GPU_DEVICES):
        return "cpu"  # without loading PyTorch, which takes longer than everything else here
    code = "from dlbook import runtime; print(runtime.current().device.type)"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


def answers(address: str) -> bool:
    """Tell whether a web server is there, whatever it says, within seconds."""
    try:
        requests.head(address, timeout=3)
    except requests.RequestException:
        return False
    return True


class Fingerprints:
    """Computes fingerprints, for one build."""

    def __init__(self, root: Path) -> None:
        self.package = package_folder()
        self.registry = load_registry(self.package)
        self.versions = locked_versions(root)
        self.device = device_kind()

    def of(self, text: str) -> Fingerprint:
        """Return what the outputs of a chapter with this source depend on, beside its cells."""
        trees = chapter_trees(text)
        modules, packages = reachable(trees, self.package)
        return {
            "device": self.device,
            "data": {name: self.registry.state(name) for name in sorted(self.data_sets(trees))},
            "packages": {name: self._version(name) for name in sorted(_distributions(packages))},
            "modules": {name: code_checksum(modules[name]) for name in sorted(modules)}
            | {file.name: file_checksum(file) for file in files_beside(modules.values())},
        }

    def elsewhere(self, text: str) -> Iterator[Fingerprint]:
        """Yield the fingerprints that the same chapter has on machines with the real data, a GPU's first."""
        own = self.of(text)
        for device in DEVICE_KINDS:
            yield own | {"device": device, "data": dict.fromkeys(own["data"], "original")}

    def data_sets(self, trees: Iterable[Any]) -> set[str]:
        """Return the registered data sets that code loads."""
        return loaded_data_sets(trees) & set(self.registry.REGISTRY)

    def fetch_missing(self, texts: Iterable[str]) -> None:
        """Fetch what the chapters load and this machine lacks, so that the fingerprints know the outcome."""
        for name in sorted({name for text in texts for name in self.data_sets(chapter_trees(text))}):
            if self.registry.is_present(name):
                continue
            if any(map(answers, self.registry.REGISTRY[name].sources)):
                subprocess.run([sys.executable, "-m", f"{PACKAGE}.data", "fetch", name], check=False)
            else:
                LOGGER.info("%s is not on this machine, and no source of it answers", name)

    def _version(self, distribution: str) -> str:
        return self.versions.get(distribution) or metadata.version(distribution)


def files_beside(modules: Iterable[Path]) -> list[Path]:
    """Return what a package carries in the folders of these modules but code, such as trained weights."""
    folders = {module.parent for module in modules if module.name == "__init__.py"}
    kinds = {".py", ".pyc", ".md"}
    return sorted(
        file for folder in folders for file in folder.iterdir() if file.is_file() and file.suffix not in kinds
    )


@functools.cache
def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file, shortened."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _distributions(packages: Iterable[str]) -> set[str]:
    return {COMPUTING_PACKAGES[name] for name in packages if name in COMPUTING_PACKAGES}


def with_fingerprint(text: str, fingerprint: Fingerprint) -> str:
    """Return a chapter's source with the fingerprint in its kernelspec, and every line in its place."""
    front_matter = FRONT_MATTER.match(text)
    assert front_matter is not None
    block = KERNELSPEC.search(front_matter.group(1))
    assert block is not None
    kernelspec = yaml.safe_load(block.group(0))["kernelspec"] | {"fingerprint": fingerprint}
    padding = "\n" * block.group(0).count("\n")
    return text.replace(block.group(0), f"kernelspec: {json.dumps(kernelspec)}{padding}", 1)


def changes(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Say what differs between two fingerprints, in words for the builder."""
    found = [f"device {before['device']} → {after['device']}"] if before["device"] != after["device"] else []
    for part in ("data", "packages", "modules"):
        names = sorted(before[part].keys() | after[part].keys())
        found += [name for name in names if before[part].get(name) != after[part].get(name)]
    return found


def known(env: BuildEnvironment) -> dict[str, Fingerprint]:
    """Return docname → fingerprint at its last reading; kept with Sphinx's environment."""
    if not hasattr(env, "dlbook_fingerprints"):
        setattr(env, "dlbook_fingerprints", {})  # noqa: B010 - an attribute that Sphinx's class lacks
    return getattr(env, "dlbook_fingerprints")  # noqa: B009


class Marker:
    """Keeps the fingerprints of one build up to date, between Sphinx's events."""

    def prepare(self, app: Sphinx) -> None:
        """Look at the machine and the package, before anything is read."""
        self.fingerprints = Fingerprints(Path(app.srcdir).parent)
        self.chosen: dict[str, Fingerprint] = {}  # by docname, in this build

    def outdated(
        self, app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
    ) -> list[str]:
        """Fetch missing data; then report the chapters whose fingerprint changed, and say why."""
        texts = {name: source_of(env, name) for name in sorted(env.found_docs)}
        chapters = {name: text for name, text in texts.items() if is_chapter(text)}
        if os.environ.get("DLBOOK_PREVIEW"):
            self._choose_cached(env, chapters)
        self.fingerprints.fetch_missing(chapters[name] for name in chapters.keys() - self.chosen.keys())
        stale = []
        for docname in chapters.keys() & known(env).keys():
            reasons = changes(known(env)[docname], self._fingerprint(docname, chapters[docname]))
            if reasons:
                LOGGER.info("%s was computed with other code or data: %s", docname, ", ".join(reasons))
                stale.append(docname)
        return stale

    def _choose_cached(self, env: BuildEnvironment, chapters: dict[str, str]) -> None:
        """For a preview, choose outputs that the cache has, made on whatever kind of device."""
        cache = execution_cache(env)
        for docname, text in chapters.items():
            for candidate in self.fingerprints.elsewhere(text):
                if cached_record(cache, notebook_of(env, docname, with_fingerprint(text, candidate))):
                    self.chosen[docname] = candidate
                    break

    def _fingerprint(self, docname: str, text: str) -> Fingerprint:
        if docname not in self.chosen:
            self.chosen[docname] = self.fingerprints.of(text)
        return self.chosen[docname]

    def mark(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Write the fingerprint into the source that myst-nb will see."""
        if is_chapter(source[0]):
            source[0] = with_fingerprint(source[0], self._fingerprint(docname, source[0]))

    def remember(self, app: Sphinx, doctree: nodes.document) -> None:
        """Keep the fingerprint of a page that has been read."""
        if app.env.docname in self.chosen:
            known(app.env)[app.env.docname] = self.chosen[app.env.docname]

    def forget(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Drop the fingerprint of a page that is read again, or gone."""
        known(env).pop(docname, None)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    marker = Marker()
    app.connect("builder-inited", marker.prepare)
    app.connect("env-get-outdated", marker.outdated)
    app.connect("source-read", marker.mark)
    app.connect("doctree-read", marker.remember)
    app.connect("env-purge-doc", marker.forget)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
