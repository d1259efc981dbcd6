"""Carry executed pages from one machine to another: pack a cache up, and merge others into it.

An entry is keyed on all that its outputs depend on, so entries of many machines can lie side by side.
"""

import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
import requests
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.db import NbCacheRecord
from jupyter_cache.cache.main import JupyterCacheBase, NbArtifacts
from sphinx.util import logging
from urllib3.exceptions import HTTPError

from bookbuild.book import Book, BookError, chosen_pages
from bookbuild.repository import pages_address, reason, repositories, repository
from bookbuild.run import foreign
from bookbuild.run.acceptance import objection
from bookbuild.run.cache import ELSEWHERE, FILES, NOTEBOOK, RECORD, ExecutionCache, is_whole
from bookbuild.run.entry_list import LIST, entries
from bookbuild.run.liveness import is_of, live
from dlbook.data import archives
from dlbook.data.source import DataError
from dlbook.record import Record

LOGGER = logging.getLogger(__name__)
GITHUB_API = "https://api.github.com"
ARCHIVE = "execution-cache.tar.gz"
# A cache of this book has a few megabytes; more than this is a mistake, or worse.
LARGEST_ARCHIVE = 500_000_000
# Seconds that it may take, from a server that sends and sends.
LONGEST_DOWNLOAD = 1800


class CacheError(BookError):
    """A cache cannot be read or found; the message says what to do."""


class NoOutputs(CacheError):  # noqa: N818 - what happened; an error only where outputs are needed
    """The cache has no outputs of the pages."""


def merge(source: Path, book: Book, is_own: bool = False) -> Counter[str]:
    """Copy the executed pages of another cache into the book's; what that has, it keeps.

    Args:
        source: jupyter-cache's folder, written by a build of this book.
        book: whose cache to add to; it is made if it is not there.
        is_own: whether the same owner's machines wrote it. The outputs are then taken as they are, as if
            executed here; all others are made harmless, and shown as another machine's.

    Returns:
        How many entries were ``added``, were ``there already``, or are ``damaged`` and left out.

    Raises:
        CacheError: the source is no execution cache.
    """
    listed = entries(source) if (source / LIST).exists() else None
    if listed is None:
        raise CacheError(f"{source} is no execution cache: expected jupyter-cache's {LIST}, whole, in it")
    ours = ExecutionCache(book.cache_folder)
    ours.drop_damaged()
    present = ours.keys()
    counts = Counter({"added": 0, "there already": 0, "damaged": 0})
    for record in listed:
        if record.hashkey in present:
            counts["there already"] += 1
        elif bundle := _read(source, record, book, is_own):
            marked = source / "executed" / record.hashkey / ELSEWHERE
            ours.keep(bundle, is_from_elsewhere=not is_own or marked.exists())
            counts["added"] += 1
        else:
            counts["damaged"] += 1
    return counts


def _read(source: Path, record: NbCacheRecord, book: Book, is_own: bool) -> CacheBundleIn | None:
    """Return one entry of another cache; None where it is damaged, would fail here, or could act."""
    try:
        entry = source / "executed" / record.hashkey
        artifacts = entry / "artifacts"
        if not is_whole(entry):
            return None
        notebook = nbformat.read(entry / NOTEBOOK, nbformat.NO_CONVERT)
        if JupyterCacheBase(entry).create_hashed_notebook(notebook)[1] != record.hashkey:
            return None
        if objection(notebook):
            return None
        if not is_own:
            notebook = foreign.harmless(notebook)
        nbformat.writes(notebook).encode()  # half a letter can be read, and not be written
        said = Record.from_json((artifacts / RECORD).read_text(encoding="utf-8"))
        files = [artifacts / RECORD, *foreign.saved_files(artifacts / FILES, said)]
        return CacheBundleIn(
            notebook,
            _local_path(record.uri, book),
            artifacts=NbArtifacts(list(map(str, files)), in_folder=artifacts),
            data=dict(record.data or {}),
        )
    except Exception as error:  # on what no build wrote, the parsers raise a dozen kinds of errors
        LOGGER.info("%s: what another machine put out is left out: %s", record.uri, error)
        return None


def _local_path(uri: str, book: Book) -> str:
    """Return where a page of another checkout lies in this one."""
    below = uri.replace("\\", "/").rpartition(f"/{book.pages_folder.name}/")[2]
    return str(book.pages_folder / below)


def export(book: Book, archive: Path) -> None:
    """Pack up the executed pages that a build could still ask for, whole or not at all.

    Raises:
        NoOutputs: there are none.
    """
    cache = ExecutionCache(book.cache_folder)
    cache.drop_damaged()
    keys, chosen = live(book, cache), chosen_pages(book)
    if chosen:
        sources = {key: source for key, source, _ in cache.fingerprints()}
        keys = {key for key in keys if any(is_of(docname, sources[key]) for docname in chosen)}
    if not keys:
        whose = ", ".join(sorted(chosen)) or "any page"
        raise NoOutputs(f"no outputs of {whose} are in {book.cache_folder}: build the book first")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
        cache.copy(keys, Path(scratch, "cache"))
        draft = Path(scratch, archive.name)
        with tarfile.open(draft, "w:gz") as packed:
            packed.add(Path(scratch, "cache"), arcname=".")
        draft.replace(archive)


def download(address: str, target: Path) -> Path:
    """Fetch an archive.

    Raises:
        CacheError: it cannot be had, or is larger or takes longer than is accepted.
    """
    from dlbook.data import fetching  # here, as few builds need it

    start, limits = time.monotonic(), (fetching.LIMITS.connect, fetching.LIMITS.silence)
    try:
        with (
            fetching.session(fetching.LIMITS.attempts) as session,
            session.get(address, stream=True, timeout=limits) as answer,
            target.open("wb") as file,
        ):
            answer.raise_for_status()
            while chunk := answer.raw.read1(1 << 16, decode_content=False):
                file.write(chunk)
                if file.tell() > LARGEST_ARCHIVE:
                    raise CacheError(f"{address} sends more than {LARGEST_ARCHIVE:,} bytes")
                if time.monotonic() - start > LONGEST_DOWNLOAD:
                    raise CacheError(f"{address} did not finish within {LONGEST_DOWNLOAD:,} s")
    except (OSError, HTTPError, ValueError) as error:  # OSError: no certificates, or no room on the disk
        raise CacheError(f"{address} cannot be had: {error}") from error
    return target


def archives_below(source: str) -> list[str]:
    """Return the archives in a folder and its folders, as artifacts are downloaded; else the source itself.

    GitHub gives each of several artifacts a folder of its own, and one alone none.
    """
    folder = Path(source)
    if (folder / LIST).exists() or (folder / ".jupyter_cache").is_dir():
        return [source]
    return sorted(map(str, (*folder.glob(ARCHIVE), *folder.glob(f"*/{ARCHIVE}")))) or [source]


def merge_from(source: str, book: Book, is_own: bool = False) -> Counter[str]:
    """Merge from a folder, an archive, or an archive's address; see `merge`."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if source.startswith(("http://", "https://")):
            source = str(download(source, folder / ARCHIVE))
        path = Path(source)
        if not path.exists():
            raise CacheError(f"{source} does not exist")
        if path.is_file():
            try:
                archives.extract_tar(path, folder / "cache", LARGEST_ARCHIVE)
            except (DataError, OSError) as error:
                raise CacheError(f"{path} cannot be unpacked: {error}") from error
            path = folder / "cache"
        below = path / ".jupyter_cache"  # a _build folder is understood too
        return merge(below if below.is_dir() else path, book, is_own)


def merge_published(book: Book) -> tuple[str, Counter[str]] | None:
    """Merge the first published cache that can be had; return its address and what `merge` said, or None."""
    for address in published(book):
        try:
            return address, merge_from(address, book)
        except CacheError as error:
            LOGGER.info("%s", error)
    if repository(book.root) is None:
        LOGGER.info("%s: say FROM=<folder, archive or address>", reason(book.root))
    return None


def published(book: Book) -> Iterator[str]:
    """Yield where this book's outputs may be published: with the sites of the repositories that are known.

    A fork that has no site yet finds that of the repository it was made from, or of that one's own origin.
    """
    known = list(dict.fromkeys(repositories(book.root)))
    for found in known:
        yield pages_address(*found) + ARCHIVE
    for origin in _forked_from(*known[0]) if known else ():
        if origin not in known:
            yield pages_address(*origin) + ARCHIVE


def _forked_from(owner: str, name: str) -> list[tuple[str, str]]:
    """Ask GitHub what a repository is a fork of, and where the forks began; none where nobody answers."""
    try:
        with requests.get(f"{GITHUB_API}/repos/{owner}/{name}", timeout=10) as answer:
            answer.raise_for_status()
            said = answer.json()
            origins = [said["parent"], said["source"]]
            return list(dict.fromkeys((str(each["owner"]["login"]), str(each["name"])) for each in origins))
    except (OSError, LookupError, TypeError, ValueError):
        return []
