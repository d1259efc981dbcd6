"""Carry executed chapters from one machine to another: pack a cache up, and merge others into it.

An entry is keyed on all that its outputs depend on, so entries of many machines can lie side by side.
Run as a program by `make merge-cache`, `make export-cache` and `make preview`.
"""

import argparse
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import requests
from dlbook_cache import ELSEWHERE, entries, is_whole, locked, sign
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.cache.db import NbCacheRecord
from repository import site_address

ARCHIVE = "execution-cache.tar.gz"
# A cache of this book has a few megabytes; more than this is a mistake, or worse.
LARGEST_ARCHIVE = 500_000_000


class CacheError(Exception):
    """A cache cannot be read or found; the message says what to do."""


def merge(source: Path, target: Path) -> Counter[str]:
    """Copy the executed chapters of one cache into another; what the other has, it keeps.

    Args:
        source: jupyter-cache's folder, written by a build of this book.
        target: likewise; made if it is not there.

    Returns:
        How many entries were ``added``, were ``there already``, or are ``damaged`` and left out.

    Raises:
        CacheError: the source is no execution cache.
    """
    if not (source / "global.db").exists() or entries(source) is None:
        raise CacheError(f"{source} is no execution cache: expected jupyter-cache's global.db in it")
    theirs, ours = get_cache(str(source)), get_cache(str(target))
    present = {record.hashkey for record in ours.list_cache_records()}
    counts = Counter({"added": 0, "there already": 0, "damaged": 0})
    for record in theirs.list_cache_records():
        if record.hashkey in present:
            counts["there already"] += 1
        elif not is_whole(source / "executed" / record.hashkey):
            counts["damaged"] += 1
        else:
            _add(theirs, record, ours)
            (target / "executed" / record.hashkey / ELSEWHERE).touch()
            counts["added"] += 1
    sign(target)
    return counts


def _add(theirs: JupyterCacheAbstract, record: NbCacheRecord, ours: JupyterCacheAbstract) -> None:
    """Add one entry under the same key, with the chapter's path below this book's folder."""
    bundle = CacheBundleIn(
        theirs.get_cache_bundle(record.pk).nb, _local_path(record.uri), data=dict(record.data)
    )
    added = ours.cache_notebook_bundle(bundle, check_validity=False)
    assert added.hashkey == record.hashkey, f"{record.uri} is stored under a key that is not its own"


def _local_path(uri: str) -> str:
    """Return where a chapter of another checkout lies in this one."""
    book = Path(__file__).resolve().parent.parent
    below = uri.replace("\\", "/").rpartition(f"/{book.name}/")[2]
    return str(book / below)


def export(cache: Path, archive: Path) -> None:
    """Pack a cache up, whole or not at all."""
    if not (cache / "global.db").exists():
        raise CacheError(f"there is no execution cache in {cache}: build the book first")
    archive.parent.mkdir(parents=True, exist_ok=True)
    draft = archive.with_suffix(".tmp")
    with tarfile.open(draft, "w:gz") as packed:
        packed.add(cache, arcname=".")
    draft.replace(archive)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive that `export` made, and nothing that lies outside the folder; return the cache."""
    top = folder.resolve()
    try:
        with tarfile.open(archive) as packed:
            if sum(member.size for member in packed) > LARGEST_ARCHIVE:
                raise CacheError(f"{archive} unpacks to more than {LARGEST_ARCHIVE:,} bytes")
            for member in filter(tarfile.TarInfo.isfile, packed):
                # Not tarfile's own filter: Python knows it only from 3.11.4 on.
                target = (top / member.name).resolve()
                if not target.is_relative_to(top):
                    raise CacheError(f"{archive} cannot be unpacked: {member.name} leads out of its folder")
                target.parent.mkdir(parents=True, exist_ok=True)
                content = packed.extractfile(member)
                target.write_bytes(content.read() if content else b"")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise CacheError(f"{archive} cannot be unpacked: {error}") from error
    return folder


def download(address: str, target: Path) -> Path:
    """Fetch an archive."""
    try:
        with requests.get(address, stream=True, timeout=30) as answer:
            answer.raise_for_status()
            with target.open("wb") as file:
                file.writelines(answer.iter_content(1 << 20))
    except requests.RequestException as error:
        raise CacheError(f"{address} cannot be had: {error}") from error
    return target


def merge_from(source: str, target: Path) -> Counter[str]:
    """Merge from a folder, an archive, or an archive's address; see `merge`."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if source.startswith(("http://", "https://")):
            source = str(download(source, folder / ARCHIVE))
        path = Path(source)
        if not path.exists():
            raise CacheError(f"{source} does not exist")
        if path.is_file():
            path = unpack(path, folder / "cache")
        below = path / ".jupyter_cache"  # a _build folder is understood too
        return merge(below if below.is_dir() else path, target)


def published() -> str:
    """Return the address of the cache that this repository's site is published with."""
    site = site_address(Path(__file__).parent)
    if site is None:
        raise CacheError("no git remote leads to GitHub: say FROM=<folder, archive or address>")
    return site + ARCHIVE


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; 1 with a message where it cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=Path("_build/.jupyter_cache"))
    commands = parser.add_subparsers(dest="command", required=True)
    merging = commands.add_parser("merge", help="merge other caches into this one")
    merging.add_argument("source", nargs="*", help="folders, archives or addresses; else the published cache")
    exporting = commands.add_parser("export", help="pack this cache up")
    exporting.add_argument("archive", type=Path)
    chosen = parser.parse_args(arguments)
    lock = locked(chosen.cache.parent)
    try:
        if chosen.command == "export":
            export(chosen.cache, chosen.archive)
            return 0
        for source in chosen.source or [published()]:
            counts = merge_from(source, chosen.cache)
            print(f"{source}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    except CacheError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        lock.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
