"""Execute the pages whose outputs are not in the cache, before anything is rendered.

All that must run is known first. So pages run side by side, each is in the cache as soon as it is done, and
one that fails keeps no other from being executed. A page that loads another's file runs behind that page.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sphinx.util import logging

from bookbuild import opencv
from bookbuild.book import Book, BookError, chosen_pages, read_source
from bookbuild.promises import broken
from bookbuild.run import agreement, data_sets
from bookbuild.run.cache import RECORD, ExecutionCache
from bookbuild.run.kernel import Failure, PageRun
from bookbuild.run.keys import MISSING, Keys, device_kind
from bookbuild.run.plan import choose_cached, kept
from bookbuild.run.workers import threads, worker_count
from bookbuild.termination import terminable

LOGGER = logging.getLogger(__name__)

Run = TypeVar("Run", bound=PageRun)


class Executor:
    """Fills the cache with the outputs of a book's pages.

    Args:
        book: whose pages.
        cache: to fill.

    Raises:
        BookError: another checkout's package would run.
    """

    def __init__(self, book: Book, cache: ExecutionCache) -> None:
        agreement.require_own_package(book)
        self.book, self.cache = book, cache
        self.keys = Keys(book)
        self.failures: list[Failure] = []
        self._written: dict[str, dict[str, tuple[int, int]]] = {}

    def run(self, is_rendered: bool = True) -> list[Failure]:
        """Execute what is missing and was asked for; give each page its fingerprint and its outputs.

        Args:
            is_rendered: whether all pages that have outputs are shown next, and not only kept.

        Returns:
            Why the book cannot be rendered: failed pages, broken promises, pages of another device.

        Raises:
            BookError: the pages cannot be executed as they are.
        """
        order = self.keys.order()
        asked = chosen_pages(self.book) or set(order)
        choose_cached(self.keys, self.cache, order)
        if executes_nothing():
            self.failures += self._left_to_others(order)
        else:
            self._execute_missing(order, asked)
        return self.failures + list(self._objections(set(order) if is_rendered else asked))

    def _left_to_others(self, order: Iterable[str]) -> list[Failure]:
        """Return the pages that other machines were to execute, and did not."""
        said = (
            "its runner left no outputs of the original data, and this build executes nothing: see that job"
        )
        missing = (name for name in order if name not in self.keys.chosen or not self._recall(name))
        return [Failure(docname, "the run", said) for docname in missing]

    def _execute_missing(self, order: list[str], asked: set[str]) -> None:
        self._fetch_missing(asked - self.keys.chosen.keys())
        missing = [name for name in order if not self._recall(name)]
        for docname in missing:
            if docname not in asked:
                LOGGER.info("%s would execute, and is left as it is: it was not asked for", docname)
        self.failures += self._lacking(name for name in order if name in asked)
        self.failures += self._without_opencv(name for name in missing if name in asked)
        refused = {failure.docname for failure in self.failures}
        wanted = [name for name in missing if name in asked - refused]
        if wanted:
            workers = worker_count(device_kind(), len(wanted))
            LOGGER.info("executing %s, %d at a time", ", ".join(wanted), workers)
            self._execute(wanted, workers)

    def _recall(self, docname: str) -> bool:
        """Look a page up in the cache."""
        page = self.book.pages[docname]
        page.fingerprint = self.keys.fingerprint(docname)
        page.outputs = kept(self.keys, self.cache, docname)
        return page.outputs is not None

    def _fetch_missing(self, docnames: Iterable[str]) -> None:
        data_sets.fetch_missing({name for docname in docnames for name in self.keys.data_sets(docname)})

    def _lacking(self, docnames: Iterable[str]) -> list[Failure]:
        """Return the pages that would be published without something they load, and why not by decision."""
        if data_sets.small_ones_suffice():
            return []
        without = self.book.settings.published_without
        return [
            Failure(
                docname,
                "the data",
                f"{name} is not on this machine, and no source delivered it. What is published contains it, "
                f"unless bookbuild_published_without in _config.yml lists {name}",
            )
            for docname in docnames
            for name, state in self.keys.fingerprint(docname)["data"].items()
            if state == MISSING and name not in without
        ]

    def _without_opencv(self, docnames: Iterable[str]) -> list[Failure]:
        """Return the pages that need OpenCV, where the system cannot load it."""
        needing = [name for name in docnames if opencv.PACKAGE in self.keys.fingerprint(name)["packages"]]
        said = opencv.problem() if needing else ""
        return [Failure(docname, "the import of cv2", said) for docname in needing if said]

    def _execute(self, wanted: list[str], workers: int) -> None:
        """Run the pages, those that others need first; whatever ends this ends all kernels."""
        waiting, running = list(wanted), dict[Future[Failure | None], PageRun]()
        with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(workers) as pool:
            try:
                while waiting or running:
                    for docname in self._ready(waiting)[: workers - len(running)]:
                        waiting.remove(docname)
                        run = self._prepare(docname, Path(scratch) / docname, PageRun)
                        running[pool.submit(run.execute, threads())] = run
                    if not running:  # what they need has failed, or was not asked for
                        self.failures += [self._unexecuted(docname) for docname in waiting]
                        return
                    for done in wait(running, return_when=FIRST_COMPLETED).done:
                        self._finish(running.pop(done), done.result())
            finally:
                for run in running.values():
                    run.kill()

    def _ready(self, waiting: list[str]) -> list[str]:
        """Return the pages that wait for no other."""
        return [name for name in waiting if all(self.book.pages[n].outputs for n in self.keys.needs(name))]

    def _unexecuted(self, docname: str) -> Failure:
        needed = ", ".join(sorted(self.keys.needs(docname)))
        return Failure(docname, "the first cell", f"it loads files of {needed}, which were not executed")

    def prepare(self, docname: str, folder: Path, kind: type[Run]) -> Run:
        """Return a run of a page for itself, which leaves nothing in the cache.

        Args:
            docname: of the page.
            folder: as for `PageRun`.
            kind: which of these to return.

        Raises:
            BookError: it loads files of a page that was not executed.
        """
        self._fetch_missing([docname])
        needed = [name for name in self.keys.order() if name in self.keys.needs(docname)]
        missing = [name for name in needed if not self._recall(name)]
        if missing:
            raise BookError(f"{docname} loads files of {', '.join(missing)}: run `make book` first")
        return self._prepare(docname, folder, kind)

    def _prepare(self, docname: str, folder: Path, kind: type[Run]) -> Run:
        page = self.book.pages[docname]
        loads = {}
        for needed in self.keys.needs(docname):
            outputs = self.book.pages[needed].outputs
            files = outputs.record.files if outputs else {}
            kept = outputs.files if outputs else Path()
            loads[needed] = {name: (str(kept / saved.file), saved.sha256) for name, saved in files.items()}
        self._written[docname] = agreement.written(self.keys, docname)
        return kind(page, self.keys.notebook(docname), folder, loads)

    def _finish(self, run: PageRun, failure: Failure | None) -> None:
        """Keep what a page left behind, unless it failed or the world changed under it."""
        docname = run.page.docname
        failure = failure or self._misfit(run)
        if failure:
            self.failures.append(failure)
            LOGGER.info("%s failed after %.1f s", docname, run.seconds)
            return
        (run.artifacts / RECORD).write_text(run.record.to_json(), encoding="utf-8")
        self.cache.store(run.page.path, run.notebook, run.artifacts, run.seconds)
        self._recall(docname)
        if run.page.outputs:
            run.page.outputs = replace(run.page.outputs, is_new=True)
        LOGGER.info("%s executed in %.1f s", docname, run.seconds)

    def _misfit(self, run: PageRun) -> Failure | None:
        """What runs must be what was keyed: else a later code's numbers would stay under this code's key."""
        page = run.page
        if agreement.has_changed(self.book, self.keys, page.docname, self._written[page.docname]):
            said: str | None = "its code or data changed while it ran: build again"
        else:
            said = agreement.disagreement(page.fingerprint, run.used, run.record.provenance)
        return Failure(page.docname, "the run", said) if said else None

    def _objections(self, judged: set[str]) -> Iterator[Failure]:
        """Yield what keeps executed pages from being shown."""
        for page in self.book.pages.values():
            # Rendered now, the earlier text would stay: the file would be older than what Sphinx has read.
            if not page.path.exists() or read_source(page.path) != page.source:
                said = "it changed while pages were executed, whose outputs are kept: build again"
                yield Failure(page.docname, "the text", said)
        expected = os.environ.get("DLBOOK_EXPECT_DEVICE")
        for page in self.book.notebooks.values():
            if page.outputs is None or page.docname not in judged:
                continue
            record = page.outputs.record
            for sentence in broken(page.promises, record):
                yield Failure(page.docname, "a promise", sentence)
            device = record.provenance.device
            if expected and device != expected:
                said = f"{page.docname} was computed on {device}; this build expects {expected}"
                yield Failure(page.docname, "the device", said)


def executes_nothing() -> bool:
    """Tell whether other machines have executed all pages.

    Raises:
        BookError: ``DLBOOK_EXECUTE`` says nothing that is known.
    """
    said = os.environ.get("DLBOOK_EXECUTE", "").strip().lower()
    if said not in ("", "never"):
        raise BookError(f"DLBOOK_EXECUTE is 'never' or not set; {said!r} means nothing")
    return said == "never"


def execute(book: Book, cache: ExecutionCache, is_rendered: bool = True) -> None:
    """Execute what is missing from the cache; afterwards every page that was asked for has its outputs.

    Args:
        book: whose pages.
        cache: to fill.
        is_rendered: as for `Executor.run`.

    Raises:
        BookError: a page failed, broke a promise, or cannot be executed; all others are executed and kept.
    """
    with terminable():
        failures = Executor(book, cache).run(is_rendered)
    if not failures:
        return
    for failure in failures:
        if failure.traceback:
            LOGGER.error("%s", failure.traceback)
    said = "\n".join(f"  {failure}" for failure in failures)
    raise BookError(f"the book is not rendered, and the last site stays as it was:\n{said}")
