"""Look at a built site as a reader would meet it, and say everything that is wrong with it.

Publishing stops where this finds a problem. Run as a program by `make verify-site`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import nbformat
import yaml
from bookbuild.check.leaks import addresses, leaks
from bs4 import BeautifulSoup, Tag
from chapters import is_chapter

# Elements of a page that lead somewhere.
LINKS = "article a[href], article img[src], nav a[href], link[href], script[src]"
ERRORS = ("Traceback (most recent call last)", "CUDA error")


@dataclass(frozen=True)
class Site:
    """A built site and what it was built from.

    Attributes:
        root: the checkout, with ``_toc.yml``, ``book`` and ``_build``.
    """

    root: Path

    @property
    def html(self) -> Path:
        """Folder of the pages."""
        return self.root / "_build" / "html"

    @cached_property
    def results(self) -> dict[str, Any]:
        """What the chapters recorded; nothing where the build wrote none."""
        path = self.root / "_build" / "results.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    @cached_property
    def chapters(self) -> list[str]:
        """The chapters that the table of contents lists, such as ``cnn/mnist-mlp``."""
        listed = _files(yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8")))
        sources = {name: self.root / "book" / f"{name}.md" for name in listed}
        return [name for name, path in sources.items() if is_chapter(path.read_text(encoding="utf-8"))]

    @cached_property
    def pages(self) -> dict[Path, BeautifulSoup]:
        """All pages of the book, parsed."""
        paths = sorted(path for path in self.html.rglob("*.html") if "_static" not in path.parts)
        return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in paths}

    @cached_property
    def anchors(self) -> dict[Path, set[str]]:
        """The places in each page that a link can lead to."""
        return {path: {str(tag["id"]) for tag in page.select("[id]")} for path, page in self.pages.items()}

    def page(self, chapter: str) -> BeautifulSoup | None:
        """Return a chapter's page, parsed; None where there is none."""
        return self.pages.get(self.html / f"{chapter}.html")

    def notebook(self, chapter: str) -> Path:
        """Return where a chapter's notebook for Colab and Binder lies."""
        return self.root / "_build" / "notebooks" / f"{chapter}.ipynb"


def _files(part: Any) -> Iterator[str]:
    """Yield the pages named anywhere in a table of contents."""
    if isinstance(part, dict):
        yield from (part[key] for key in ("root", "file") if key in part)
        for value in part.values():
            yield from _files(value)
    elif isinstance(part, list):
        for item in part:
            yield from _files(item)


def outputs(site: Site) -> Iterator[str]:
    """Every chapter has its page, with outputs that real data gave, and no error in them."""
    for chapter in site.chapters:
        page = site.page(chapter)
        if page is None:
            yield f"{chapter} has no page"
            continue
        cells = page.select(".cell_output")
        if not cells:
            yield f"{chapter} shows no output: it was not executed"
        if page.select(".output.stderr, .output.traceback") or any(
            word in cell.get_text() for cell in cells for word in ERRORS
        ):
            yield f"{chapter} shows an error in its outputs"
        if "Offline stand-in" in page.get_text():
            yield f"{chapter} was computed on a stand-in, not on the real data"
        if not site.results.get(_short(chapter), {}).get("provenance", {}).get("seconds"):
            yield f"{chapter} took no time: it was not executed"


def floors(site: Site) -> Iterator[str]:
    """Every chapter promises something, and every promise holds."""
    for chapter in site.chapters:
        recorded = site.results.get(_short(chapter), {})
        promised = {name: result for name, result in recorded.items() if "floor" in result}
        if not promised:
            yield f"{chapter} promises nothing: results.json has no floor of it"
        for name, result in promised.items():
            low, high = result["floor"]["at_least"], result["floor"]["at_most"]
            if (low is not None and result["mean"] < low) or (high is not None and result["mean"] > high):
                yield f"{chapter}: {name} is {result['text']}, outside its floor {result['floor']}"


def links(site: Site) -> Iterator[str]:
    """Every link, image, style and script inside the site is there."""
    for path, page in site.pages.items():
        for tag in page.select(LINKS):
            address = str(tag.get("href") or tag.get("src"))
            if not _resolves(site, path, address):
                yield f"{path.relative_to(site.html)} leads to {address}, which is not there"


def _resolves(site: Site, page: Path, address: str) -> bool:
    target = urlsplit(address)
    if target.scheme or target.netloc:
        return True
    file = (page.parent / unquote(target.path)).resolve() if target.path else page.resolve()
    if not file.exists():
        return False
    anchors = {path.resolve(): found for path, found in site.anchors.items()}.get(file)
    return not target.fragment or anchors is None or unquote(target.fragment) in anchors


def commits(site: Site) -> Iterator[str]:
    """Every page was built from the commit that is checked out."""
    asked = ["git", "-C", str(site.root), "rev-parse", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    for path, page in site.pages.items():
        stamp = page.select_one("meta[name=dlbook-commit]")
        built = stamp["content"] if isinstance(stamp, Tag) else "an unknown commit"
        if built != head:
            yield f"{path.relative_to(site.html)} was built from {built}, and the checkout is at {head}"


def notebooks(site: Site) -> Iterator[str]:
    """Every chapter has a notebook, and the launch buttons name notebooks that exist."""
    folder = site.root / "_build" / "notebooks"
    for chapter in site.chapters:
        path, page = site.notebook(chapter), site.page(chapter)
        try:
            nbformat.validate(nbformat.read(path, as_version=4))
        except (OSError, nbformat.ValidationError, nbformat.reader.NotJSONError) as problem:
            yield f"{chapter} has no notebook that can be read: {problem}"
        launch = [str(tag["href"]) for tag in page.select(".dropdown-launch-buttons a[href]")] if page else []
        if not launch:
            yield f"{chapter} has no launch button"
        for address in launch:
            named = unquote(unquote(address)).rpartition("/notebooks/")[2].rpartition("lab/tree/")[2]
            # Binder's folder carries the repository's name.
            if not (folder / named).exists() and not (folder / named.partition("/")[2]).exists():
                yield f"{chapter}: {address} names a notebook that is not there"


def prose(site: Site) -> Iterator[str]:
    """No notebook shows the book's own markup, or leads to a page or a place that the site lacks."""
    folder = site.root / "_build" / "notebooks"
    for path in sorted(folder.rglob("*.ipynb")):
        chapter = path.relative_to(folder).with_suffix("").as_posix()
        texts = _markdown(path)
        for text in texts:
            yield from (f"the notebook of {chapter} shows {leak}" for leak in leaks(text))
        found = [address for text in texts for address in addresses(text)]
        if not found or not found[0].endswith(f"/{chapter}.html"):
            yield f"the notebook of {chapter} does not begin with a link to its page"
            continue
        base = found[0].removesuffix(f"{chapter}.html")
        for address in (address for address in found if address.startswith(base)):
            if not _resolves(site, site.html / "index.html", address.removeprefix(base)):
                yield f"the notebook of {chapter} leads to {address}, which is not there"


def _markdown(path: Path) -> list[str]:
    """Return the texts of a notebook; none where it cannot be read."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (nbformat.ValidationError, nbformat.reader.NotJSONError):
        return []
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def _short(chapter: str) -> str:
    return chapter.split("/", 1)[-1]


CHECKS = (outputs, floors, links, commits, notebooks, prose)


def problems(root: Path) -> list[str]:
    """Return all that is wrong with the site in ``root/_build``."""
    site = Site(root)
    if not (site.html / "index.html").exists():
        return [f"there is no site in {site.html}: run `make book`"]
    return [problem for check in CHECKS for problem in check(site)]


def main() -> int:
    """Say what is wrong; 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, nargs="?", default=Path())
    root = parser.parse_args().root
    found = problems(root)
    for problem in found:
        print(problem, file=sys.stderr)
    summary = (
        f"{len(found)} problems" if found else f"{len(Site(root).chapters)} chapters and all pages are sound"
    )
    print(summary)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
