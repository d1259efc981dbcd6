"""Look at a built site as a reader would meet it, and say everything that is wrong with it.

Publishing stops where this finds a problem.
"""

import gzip
import hashlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup, Tag

from bookbuild import memory, summary
from bookbuild.book import Book
from bookbuild.check.leaks import addresses, leaks
from bookbuild.promises import broken
from bookbuild.render import lost as lost_page
from bookbuild.render.playgrounds import Playground, playgrounds_of
from bookbuild.repository import GitError, git
from bookbuild.run.keys import MISSING
from dlbook.record import Record

# Elements of a page that lead somewhere.
LINKS = "article a[href], article img[src], nav a[href], .prev-next-area a[href], link[href], script[src]"
# What a browser fetches without being asked to.
FETCHED = "script[src], link[rel~=stylesheet], link[rel~=icon], link[rel~=preload], img[src], iframe[src]"
ELSEWHERE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")
# What a script imports: from "./core/playground.js", or import("…").
IMPORTS = re.compile(r"""(?:from|import\(?|URL\()\s*["'](\.{1,2}/[^"']+)["']""")
ERRORS = ("Traceback (most recent call last)", "CUDA error")


@dataclass(frozen=True)
class Site:
    """A built site and what it was built from.

    Attributes:
        book: the checkout's.
    """

    book: Book

    @property
    def html(self) -> Path:
        """Folder of the pages."""
        return self.book.html

    @property
    def notebooks(self) -> Path:
        """Folder of the notebooks for Colab and Binder."""
        return self.book.build / "notebooks"

    @cached_property
    def records(self) -> dict[str, Record]:
        """What each page left behind, as results.json has it; nothing where the build wrote none."""
        return summary.read(self.book.build)

    @property
    def chapters(self) -> list[str]:
        """The pages with cells, such as ``cnn/mnist-mlp``."""
        return list(self.book.notebooks)

    @cached_property
    def pages(self) -> dict[Path, BeautifulSoup]:
        """All pages of the book, parsed."""
        paths = sorted(path for path in self.html.rglob("*.html") if "_static" not in path.parts)
        return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in paths}

    @cached_property
    def root(self) -> str:
        """Where the site lies at its host, as the page for lost readers says: such as ``/some-book/``."""
        lost = self.pages.get(self.html / f"{lost_page.PAGE}.html")
        return str(lost.html["data-content_root"]) if lost and lost.html else "/"

    @cached_property
    def anchors(self) -> dict[Path, set[str]]:
        """The places in each page that a link can lead to."""
        return {path: {str(tag["id"]) for tag in page.select("[id]")} for path, page in self.pages.items()}

    @cached_property
    def playgrounds(self) -> list[Playground]:
        """All playgrounds, page by page."""
        names = {path: path.relative_to(self.html).with_suffix("").as_posix() for path in self.pages}
        return [found for path, page in self.pages.items() for found in playgrounds_of(names[path], page)]

    def page(self, chapter: str) -> BeautifulSoup | None:
        """Return a chapter's page, parsed; None where there is none."""
        return self.pages.get(self.html / f"{chapter}.html")


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
        drawn = site.book.pages[chapter].figures
        if (shown := len(page.select(".cell_output img"))) != drawn:
            yield f"{chapter} shows {shown} of its {drawn} figures"
        if page.select(".output.stderr, .output.traceback") or any(
            word in cell.get_text() for cell in cells for word in ERRORS
        ):
            yield f"{chapter} shows an error in its outputs"
        if "Offline stand-in" in page.get_text():
            yield f"{chapter} was computed on a stand-in, not on the real data"
        if chapter not in site.records or not site.records[chapter].provenance.seconds:
            yield f"{chapter} took no time: it was not executed"
        elif chapter in site.book.topics and memory.is_too_large(site.records[chapter].provenance):
            held = memory.gigabytes(site.records[chapter].provenance.peak_memory)
            yield f"{chapter} held {held} of memory: a topic begins there, and Binder's readers would lose it"


def promises(site: Site) -> Iterator[str]:
    """Every chapter promises something, every promise is kept, and the page shows them."""
    for chapter, source in site.book.notebooks.items():
        page, record = site.page(chapter), site.records.get(chapter)
        if not source.promises:
            yield f"{chapter} promises nothing: its front matter has no promises"
        if page and not page.select("table.promises"):
            yield f"{chapter} does not show what it promises: it lacks the directive {{promises}}"
        for sentence in broken(source.promises, record) if record else ():
            yield f"{chapter}: {sentence}"


def contents(site: Site) -> Iterator[str]:
    """Every chapter was computed with all that it loads, but for what the book is published without."""
    without = site.book.settings.published_without
    for chapter, states in summary.data_states(site.book.build).items():
        for name, state in states.items():
            if state == MISSING and name not in without:
                yield (
                    f"{chapter} was computed without {name}, and lacks what this gives: bring it, or list it "
                    "under bookbuild_published_without in _config.yml"
                )


def files(site: Site) -> Iterator[str]:
    """Every file that a page saved for others lies below the site, as it was saved."""
    for chapter, record in site.records.items():
        for saved in record.files.values():
            path = site.html / summary.saved_address(chapter, saved.file, saved.sha256)
            if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != saved.sha256:
                yield f"{chapter} saved {saved.file}, and the site does not have it"


def playgrounds(site: Site) -> Iterator[str]:
    """Every playground has its script, all that this imports, and the data that its page saved for it."""
    for playground in site.playgrounds:
        for missing in _missing_scripts(site.html / playground.script):
            yield f"{playground.page} has the playground {playground.name}, and the site lacks {missing}"
        if playground.data and not _is_whole(site, playground):
            yield f"{playground.page} saved data for {playground.name}, and the site does not have them"


def _missing_scripts(script: Path, seen: frozenset[Path] = frozenset()) -> Iterator[str]:
    if not script.exists():
        yield script.name
        return
    for address in IMPORTS.findall(script.read_text(encoding="utf-8")):
        imported = (script.parent / address).resolve()
        if imported not in seen:
            yield from _missing_scripts(imported, seen | {script.resolve(), imported})


def _is_whole(site: Site, playground: Playground) -> bool:
    path = site.html / str(playground.data)
    packed = path.read_bytes() if path.exists() else b""
    if len(packed) != playground.length or hashlib.sha256(packed).hexdigest() != playground.checksum:
        return False
    record = site.records.get(playground.page)
    saved = record.files.get(playground.name) if record else None
    return saved is not None and hashlib.sha256(gzip.decompress(packed)).hexdigest() == saved.sha256


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
    path = unquote(target.path)
    if path.startswith(site.root):  # as in the page for lost readers, whose own address can be any
        path = str(site.html / path.removeprefix(site.root))
    file = (page.parent / path).resolve() if path else page.resolve()
    if not file.exists():
        return False
    anchors = {path.resolve(): found for path, found in site.anchors.items()}.get(file)
    return not target.fragment or anchors is None or unquote(target.fragment) in anchors


def hosts(site: Site) -> Iterator[str]:
    """No page asks another host for anything, and no style sheet does."""
    for path, page in site.pages.items():
        for tag in page.select(FETCHED):
            address = str(tag.get("src") or tag.get("href"))
            if urlsplit(address).netloc:
                yield f"{path.relative_to(site.html)} asks another host for {address}"
    for path in site.html.rglob("*.css"):
        for address in ELSEWHERE.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site.html)} asks another host for {address}"


def commits(site: Site) -> Iterator[str]:
    """Every page was built from the commit that is checked out."""
    try:
        head = git(site.book.root, "rev-parse", "HEAD")
    except GitError as error:
        yield f"nobody can tell which commit the pages were built from: {error}"
        return
    for path, page in site.pages.items():
        stamp = page.select_one("meta[name=dlbook-commit]")
        built = stamp["content"] if isinstance(stamp, Tag) else "an unknown commit"
        if built != head:
            yield f"{path.relative_to(site.html)} was built from {built}, and the checkout is at {head}"


def notebooks(site: Site) -> Iterator[str]:
    """Every chapter has a notebook, and the launch buttons name notebooks that exist."""
    folder = site.notebooks
    for chapter in site.chapters:
        path, page = folder / f"{chapter}.ipynb", site.page(chapter)
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
    folder = site.notebooks
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


CHECKS = (outputs, contents, promises, files, playgrounds, links, hosts, commits, notebooks, prose)


def problems(book: Book) -> list[str]:
    """Return all that is wrong with a book's built site."""
    site = Site(book)
    if not (site.html / "index.html").exists():
        return [f"there is no site in {site.html}: run `make book`"]
    return [problem for check in CHECKS for problem in check(site)]


def verify(book: Book) -> int:
    """Say what is wrong; 1 if anything is."""
    found = problems(book)
    for problem in found:
        print(problem, file=sys.stderr)
    count = len(book.notebooks)
    print(f"{len(found)} problems" if found else f"{count} chapters and all pages are sound")
    return 1 if found else 0
