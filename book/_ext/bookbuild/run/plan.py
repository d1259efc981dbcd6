"""Execute what is missing from the execution cache before any page is read.

myst-nb executes a chapter when it comes to its page, one after the other. Here all that must run is
known first: it can run in several processes, be limited to the chapters that somebody asked for
(``DLBOOK_CHAPTERS``), and each chapter is in the cache as soon as it is done. myst-nb then finds it
there.
"""

import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import nbformat
from chapters import cache_folder, cached_record, execution_cache, is_chapter, notebook_of, source_of
from dlbook_cache import came_from_elsewhere, sign
from dlbook_execution import execute
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult
from myst_nb.core.execute import cache as myst_nb_cache
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
# PyTorch gains little from more cores than this for one of the book's small networks.
CORES_A_CHAPTER = 2
# What follows from pages that are not there yet, in a build of chosen chapters only.
CONSEQUENCES = ("dlbook.figure", "etoc.ref", "mystnb.glue", "mystnb.glue_ref", "ref.doc", "myst.xref_missing")


@dataclass(frozen=True)
class Job:
    """A chapter to execute.

    Attributes:
        notebook: as myst-nb reads it.
        options: of `dlbook_execution.execute`.
    """

    notebook: nbformat.NotebookNode
    options: Mapping[str, Any]


def worker_count(devices: set[str], jobs: int) -> int:
    """Return how many chapters to execute at a time: one on a GPU, else as many as the cores allow.

    ``DLBOOK_WORKERS`` overrides it.

    Raises:
        ExtensionError: the variable is no number of at least 1.
    """
    requested = os.environ.get("DLBOOK_WORKERS")
    if requested:
        if not requested.isdecimal() or int(requested) < 1:
            raise ExtensionError(f"DLBOOK_WORKERS must be a number of at least 1, not {requested!r}")
        return min(int(requested), jobs)
    return max(1, min(cores() // CORES_A_CHAPTER, jobs)) if devices == {"cpu"} else 1


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(jobs: Mapping[str, Job], workers: int) -> Iterator[tuple[str, ExecutionResult]]:
    """Execute chapters, and yield each with its result as soon as it is done.

    Args:
        jobs: docname → what to execute.
        workers: how many at a time; their kernels share the cores evenly.
    """
    if workers == 1:
        for docname, job in jobs.items():
            yield docname, execute(job.notebook, **job.options)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, limit_threads, (cores() // workers,)) as pool:
        try:
            yield from _run_in(pool, jobs, workers)
        except BaseException:  # Ctrl-C too: nbclient ends the kernel of a worker that is asked to stop
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def _run_in(
    pool: ProcessPoolExecutor, jobs: Mapping[str, Job], workers: int
) -> Iterator[tuple[str, ExecutionResult]]:
    """Hand out no more than the pool can work on, so that nothing is left in its queue at a Ctrl-C."""
    waiting = iter(jobs.items())
    running: dict[Future[ExecutionResult], str] = {}
    while True:
        for docname, job in waiting:
            running[pool.submit(execute, job.notebook, **job.options)] = docname
            if len(running) == workers:
                break
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future.result()


def limit_threads(threads: int) -> None:
    """Give the kernels of this process their share of the cores, unless the user has set it."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, threads)))


def requested_chapters(env: BuildEnvironment) -> set[str]:
    """Return the chapters of ``DLBOOK_CHAPTERS``; none where all are meant.

    Raises:
        ExtensionError: the book has no such chapter.
    """
    names = set(os.environ.get("DLBOOK_CHAPTERS", "").replace(",", " ").split())
    known = sorted(name for name in env.found_docs if is_chapter(source_of(env, name)))
    if not names <= set(known):
        unknown = ", ".join(sorted(names - set(known)))
        raise ExtensionError(f"no chapter {unknown}: the book has {', '.join(known)}")
    return names


def leave_alone(env: BuildEnvironment, docname: str) -> None:
    """Keep the page of an earlier build, or none; a later build finds the chapter changed still."""
    LOGGER.info("%s would execute, and is left as it is: it was not asked for", docname)
    if docname not in env.all_docs:
        env.found_docs.discard(docname)


class Plan:
    """What one build executes."""

    def __init__(self) -> None:
        self.failed: dict[str, ExecutionResult] = {}  # by docname

    def take_over(self, app: Sphinx) -> None:
        """Have myst-nb ask here for what its cache lacks; it offers no hook, so its function is replaced."""

        def recall(notebook: nbformat.NotebookNode, **options: Any) -> ExecutionResult:
            result = self.failed[app.env.docname]
            for cell, executed in zip(notebook.cells, result.nb.cells, strict=True):
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
            notebook.metadata.update(result.nb.metadata)
            return result

        myst_nb_cache.single_nb_execution = recall

    def suppress_consequences(self, app: Sphinx, config: Any) -> None:
        """Where chosen chapters are built, do not warn of what the others would have brought."""
        if os.environ.get("DLBOOK_CHAPTERS", "").strip():
            config.suppress_warnings = [*config.suppress_warnings, *CONSEQUENCES]

    def begin(
        self, app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
    ) -> list[str]:
        """Forget what the last build executed."""
        origins(env)["executed"] = set()
        return []

    def execute_missing(self, app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
        """Fill the cache; take the pages out of ``docnames`` whose execution was not asked for."""
        requested = requested_chapters(env)
        jobs: dict[str, Job] = {}
        for docname in docnames.copy():
            text = source_of(env, docname)
            if not is_chapter(text):
                continue
            marked = [text]
            app.emit("source-read", docname, marked)
            notebook = notebook_of(env, docname, marked[0])
            record = cached_record(execution_cache(env), notebook)
            origins(env)["elsewhere"].discard(docname)
            if record is not None:
                if came_from_elsewhere(cache_folder(env) / "executed" / record.hashkey):
                    origins(env)["elsewhere"].add(docname)
            elif requested and docname not in requested:
                docnames.remove(docname)
                leave_alone(env, docname)
            else:
                jobs[docname] = Job(notebook, self._options(app, docname))
        self._run(app, jobs)

    def _options(self, app: Sphinx, docname: str) -> dict[str, Any]:
        config = app.env.mystnb_config  # type: ignore[attr-defined]
        return {
            "chapter_limit": app.config.dlbook_chapter_timeout,
            "cwd": os.path.dirname(app.env.doc2path(docname)),
            "timeout": config.execution_timeout,
            "allow_errors": config.execution_allow_errors,
            "meta_override": True,
        }

    def _run(self, app: Sphinx, jobs: dict[str, Job]) -> None:
        if not jobs:
            return
        devices = {job.notebook.metadata.kernelspec.fingerprint.device for job in jobs.values()}
        workers = worker_count(devices, len(jobs))
        LOGGER.info("executing %s, %d at a time", ", ".join(jobs), workers)
        for docname, result in run_all(jobs, workers):
            origins(app.env)["executed"].add(docname)
            if result.err is not None:
                self.failed[docname] = result
                LOGGER.info("%s failed after %.1f s", docname, result.time)
                continue
            bundle = CacheBundleIn(
                result.nb, app.env.doc2path(docname), data={"execution_seconds": result.time}
            )
            execution_cache(app.env).cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            sign(cache_folder(app.env))
            LOGGER.info("%s executed in %.1f s", docname, result.time)


def origins(env: BuildEnvironment) -> dict[str, set[str]]:
    """Return which chapters' outputs were ``executed`` in this build, and which came from ``elsewhere``."""
    if not hasattr(env, "dlbook_origins"):
        setattr(env, "dlbook_origins", {"executed": set(), "elsewhere": set()})  # noqa: B010
    return getattr(env, "dlbook_origins")  # noqa: B009


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    plan = Plan()
    app.connect("config-inited", plan.suppress_consequences)
    app.connect("builder-inited", plan.take_over)
    app.connect("env-get-outdated", plan.begin)
    app.connect("env-before-read-docs", plan.execute_missing)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
