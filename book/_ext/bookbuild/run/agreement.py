"""What ran must be what was keyed: else other code's or data's numbers would pass for those of the key."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dlbook
from bookbuild.book import Book, BookError, Page
from bookbuild.run.keys import MISSING, PACKAGE, Keys, package_folder
from dlbook.data.registry import REGISTRY
from dlbook.record import Provenance

# A kernel is asked this behind the last cell of its page, once it has written the record.
QUESTION = """
import dlbook, json, pathlib, sys
from dlbook.data.registry import REGISTRY
states = {{name: REGISTRY[name].state() for name in {names!r}}}
used = {{"interpreter": sys.prefix, "package": dlbook.__file__, "data": states}}
pathlib.Path({path!r}).write_text(json.dumps(used), encoding="utf-8")
"""


@dataclass(frozen=True)
class Used:
    """What a kernel really used.

    Attributes:
        interpreter: the folder of its Python.
        package: the file that `dlbook` was imported from.
        data: each data set that the page names, and what the kernel finds of it; as `Entry.state` says.
    """

    interpreter: str
    package: str
    data: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> "Used":
        """Return a kernel's answer to the question."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def question(page: Page, path: Path) -> str:
    """Return the code that answers into a file what a page's kernel used."""
    return QUESTION.format(names=list(page.fingerprint.get("data", {})), path=str(path))


def disagreement(fingerprint: dict[str, Any], used: Used, provenance: Provenance) -> str | None:
    """Return how what ran differs from what was keyed; None where it does not.

    Args:
        fingerprint: of the page.
        used: by its kernel.
        provenance: that the page recorded.
    """
    return next(_disagreements(fingerprint, used, provenance), None)


def _disagreements(fingerprint: dict[str, Any], used: Used, provenance: Provenance) -> Iterator[str]:
    seen = fingerprint.get("data", {})
    if used.interpreter != sys.prefix:
        yield f"it ran on the Python in {used.interpreter}, and the build runs on that in {sys.prefix}"
    if used.package != dlbook.__file__:
        yield f"it imported {used.package}, and not {dlbook.__file__}: let no cell change sys.path"
    if (expected := fingerprint.get("device", provenance.device)) != provenance.device:
        yield (
            f"it was computed on {provenance.device}, and the build saw {expected}: build again, with "
            f"DLBOOK_DEVICE={provenance.device} if {expected} is not to be had"
        )
    for source in provenance.data:
        if source.name in REGISTRY.keys() - seen.keys():
            yield f'it loaded {source.name}, which no cell names: write out load("{source.name}")'
        elif source.is_standin != (seen.get(source.name) == MISSING):
            yield f"it loaded {source.name} as: {source.description} The build saw: {seen.get(source.name)}"
    for name, state in used.data.items():
        if state != seen[name]:
            yield (
                f"it saw {name} as: {state}. The build saw: {seen[name]}. Let no cell set where data lie, "
                "and build again"
            )


def written(keys: Keys, docname: str) -> dict[str, tuple[int, int]]:
    """Return when the code that a page runs was written: what was edited and undone says the same again."""
    times = {path: path.stat() for path in keys.files(docname)}
    return {str(path): (found.st_mtime_ns, found.st_ctime_ns) for path, found in times.items()}


def has_changed(book: Book, keys: Keys, docname: str, since: dict[str, tuple[int, int]]) -> bool:
    """Tell whether a page's code or data are others than when it was keyed, or were meanwhile.

    Args:
        book: whose page.
        keys: with which it was keyed.
        docname: of the page.
        since: when its code was written, as it was before it ran.
    """
    now = Keys(book)
    now.chosen = {name: known for name, known in keys.chosen.items() if name != docname}
    try:
        return now.fingerprint(docname) != keys.fingerprint(docname) or written(now, docname) != since
    except (OSError, SyntaxError, UnicodeDecodeError):  # somebody is at work on a file
        return True


def require_own_package(book: Book) -> None:
    """Raise a `BookError` where another checkout's package would be imported, and its numbers shown.

    As in an environment that another checkout lends.
    """
    own, found = book.root / "src" / PACKAGE, package_folder()
    if own.is_dir() and found.resolve() != own.resolve():
        raise BookError(
            f"{PACKAGE} would be imported from {found}, and not from this checkout: build with make, or set "
            f"PYTHONPATH={own.parent}"
        )
