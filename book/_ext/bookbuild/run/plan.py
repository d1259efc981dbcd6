"""Which pages must be executed, and in which of two waves, for runners that execute a page each.

Read off the code and the cache: nothing is fetched, and data that this machine lacks may be there elsewhere.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from sphinx.util import logging

from bookbuild.book import Book, BookError, Outputs
from bookbuild.promises import broken
from bookbuild.run.cache import ExecutionCache, locked
from bookbuild.run.keys import Fingerprint, Keys

LOGGER = logging.getLogger(__name__)
# Of each wave: its pages, and the names of the data that a page loads.
Waves = dict[str, list[dict[str, str]]]


def choose_cached(keys: Keys, cache: ExecutionCache, order: Iterable[str]) -> None:
    """Choose the outputs that the cache has of the original data, before anybody asks for these data.

    So a host of data that does not answer stops no build whose outputs are all there. A preview takes
    what any kind of device has computed.
    """
    any_device, found = bool(os.environ.get("DLBOOK_PREVIEW")), dict[str, Fingerprint]()
    for docname in order:
        if not keys.needs(docname) <= found.keys():
            continue  # what it needs is executed first, and gives it another key
        for candidate in keys.candidates(docname, any_device):
            keys.chosen[docname] = candidate
            if kept(keys, cache, docname):
                found[docname] = candidate
                break
    keys.chosen = found


def kept(keys: Keys, cache: ExecutionCache, docname: str) -> Outputs | None:
    """Return the outputs of a page that the cache has under its key.

    Another machine's that break a promise of the page are as good as none: this machine computes its own, and
    those of the pages that load its files.
    """
    outputs = cache.find(keys.key(docname))
    if outputs and outputs.is_from_elsewhere:
        if not all(kept(keys, cache, needed) for needed in keys.needs(docname)):
            return None
        promises = keys.book.pages[docname].promises
        for sentence in broken(promises, outputs.record):
            LOGGER.info("%s: another machine's outputs are not taken: %s", docname, sentence)
            return None
    return outputs


def waves(book: Book, cache: ExecutionCache) -> Waves:
    """Return the pages that are not in the cache: the ``second`` wave needs files of the ``first``.

    Raises:
        BookError: a page could not be executed before a third wave.
    """
    keys = Keys(book)
    order = keys.order()
    _require_two_waves(keys, order)
    choose_cached(keys, cache, order)
    missing = [docname for docname in order if docname not in keys.chosen]
    found: Waves = {"first": [], "second": []}
    for docname in missing:
        wave = "second" if keys.needs(docname) & set(missing) else "first"
        found[wave].append({"page": docname, "data": "+".join(sorted(keys.data_sets(docname)))})
    return found


def _require_two_waves(keys: Keys, order: Iterable[str]) -> None:
    """Refuse what two waves cannot execute, also where the cache has it: it will not have it forever."""
    for docname in order:
        for needed in sorted(keys.needs(docname)):
            if deeper := sorted(keys.needs(needed)):
                raise BookError(
                    f"{docname} loads files of {needed}, which loads files of {deeper[0]}: that takes a "
                    f"third wave of runners, and there are two. Let {docname} load from {deeper[0]} itself, "
                    "or publish from one runner: set the repository variable RUNNERS to `one`"
                )


def report(book: Book) -> int:
    """Print the waves as JSON, and hand them to the later jobs of the GitHub run where there is one."""
    with locked(book.build):
        cache = ExecutionCache(book.cache_folder)
        cache.drop_damaged()
        found = waves(book, cache)
    print(json.dumps(found, indent=2))
    if target := os.environ.get("GITHUB_OUTPUT"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.writelines(f"{wave}={json.dumps(pages)}\n" for wave, pages in found.items())
    return 0
