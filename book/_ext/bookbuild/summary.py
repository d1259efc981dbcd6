"""What the build writes beside the site: all results in one file, and the files that pages saved."""

import json
import shutil
from pathlib import Path
from typing import Any

from bookbuild.book import Book, Page
from dlbook.data.files import draft, sha256_of
from dlbook.record import Record

RESULTS = "results.json"
# Below the site's folder: page / checksum / file.
SAVED = "_saved"


def write(book: Book) -> None:
    """Write ``_build/results.json``, and below the site the files that pages saved; each whole or not."""
    pages = [page for page in book.pages.values() if page.outputs]
    text = json.dumps({page.docname: _summary(page) for page in pages}, indent=2, ensure_ascii=False)
    with draft(book.build / RESULTS) as results:
        results.write_text(f"{text}\n", encoding="utf-8")
    published = [_publish(book, page) for page in pages]
    for stale in set((book.html / SAVED).rglob("*.*")) - {path for paths in published for path in paths}:
        if stale.is_file():
            stale.unlink()


def read(build: Path) -> dict[str, Record]:
    """Return what `write` wrote for each page; nothing where no book was built."""
    return {docname: Record.from_dict(record) for docname, record in _read(build).items()}


def data_states(build: Path) -> dict[str, dict[str, str]]:
    """Return page → what it loads → how its machine had that: see `dlbook.data.entries.Entry.state`."""
    return {docname: said["data"] for docname, said in _read(build).items()}


def _read(build: Path) -> dict[str, Any]:
    path = build / RESULTS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def saved_address(docname: str, file: str, sha256: str) -> str:
    """Return where a saved file lies below the site: another content has another address."""
    return f"{SAVED}/{docname}/{sha256[:16]}/{file}"


def _summary(page: Page) -> dict[str, Any]:
    """Return a page's record, and what it promises of it; a promise of an absent result is not judged."""
    if page.outputs is None:
        return {}
    record = page.outputs.record
    promises = {}
    for name, promise in page.promises.items():
        low, high = promise.bounds(record)
        promises[name] = {"at_least": low, "at_most": high, "judged": promise.is_judged(record)}
    return record.as_dict() | {"promises": promises, "data": page.fingerprint.get("data", {})}


def _publish(book: Book, page: Page) -> set[Path]:
    """Copy a page's saved files below the site, and return where they are."""
    paths = set()
    for saved in page.outputs.record.files.values() if page.outputs else ():
        target = book.html / saved_address(page.docname, saved.file, saved.sha256)
        if not target.exists() or sha256_of(target) != saved.sha256:
            with draft(target) as copy:
                shutil.copyfile(page.outputs.files / saved.file, copy)  # type: ignore[union-attr]
        paths.add(target)
    return paths
