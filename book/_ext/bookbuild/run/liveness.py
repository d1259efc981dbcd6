"""Which executed pages a build could still ask for. Others are not published, and not kept forever."""

from datetime import UTC, datetime, timedelta

from bookbuild.book import Book
from bookbuild.run.cache import ExecutionCache
from bookbuild.run.keys import Fingerprint, Keys

# What may differ: other machines ask for the same page with their own device, their own data, and so with the
# files that another page left behind on such a machine.
OF_THE_MACHINE = ("device", "data", "pages")
# How long an undone change may bring earlier outputs back where a cache is pruned.
KEPT = timedelta(days=90)


def live(book: Book, cache: ExecutionCache) -> set[str]:
    """Return the keys of the entries that some machine would find for a page as it is now."""
    keys, found = Keys(book), set[str]()
    entries = list(cache.fingerprints())
    for docname in keys.order():
        now = keys.fingerprint(docname)
        for key, source, said in entries:
            if is_of(docname, source) and _fits(now, said, found):
                keys.chosen[docname] = now | {part: said[part] for part in OF_THE_MACHINE}
                if keys.key(docname) == key:
                    found.add(key)
        keys.chosen[docname] = now
    return found


def is_of(docname: str, source: str) -> bool:
    """Tell whether a source file, of whatever machine, is a page's."""
    return source.replace("\\", "/").endswith(f"/{docname}.md")


def _fits(now: Fingerprint, said: Fingerprint, found: set[str]) -> bool:
    """Tell whether an entry has what the page asks for now, from pages that are live too.

    Nobody looks at a fingerprint where outputs of another machine are merged: it may be of any form.
    """
    try:
        names = all(now[part].keys() == said[part].keys() for part in ("data", "pages"))
        return names and "device" in said and set(said["pages"].values()) <= found
    except (KeyError, TypeError, AttributeError):
        return False


def prune(book: Book) -> int:
    """Remove the entries that are not live and that nobody has read for long; return how many."""
    cache = ExecutionCache(book.cache_folder)
    cache.drop_damaged()
    return cache.forget(live(book, cache), since=datetime.now(UTC).replace(tzinfo=None) - KEPT)
