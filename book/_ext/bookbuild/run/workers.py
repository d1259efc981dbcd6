"""How many pages run at a time, and how many threads each of them gets."""

import os

import joblib
import psutil

from bookbuild.book import BookError
from bookbuild.memory import LIMIT
from bookbuild.run.keys import device_kind

# Bytes that a page may need at once, with the files that it maps. More pages at a time than fit would be
# slower than fewer.
PAGE_MEMORY = LIMIT + 500_000_000


def worker_count(device: str, jobs: int) -> int:
    """Return how many pages to execute at a time: one on a GPU, else one for each core, if memory allows.

    A page gets one thread: PyTorch's threads wait for each other at every small operation, so that two gain
    nothing on a quiet machine, and lose nine tenths of the speed on a busy one (`make benchmark` shows it).
    ``DLBOOK_WORKERS`` overrides the number.

    Raises:
        BookError: the variable is no number of at least 1.
    """
    requested = os.environ.get("DLBOOK_WORKERS")
    if requested:
        if not requested.isdecimal() or int(requested) < 1:
            raise BookError(f"DLBOOK_WORKERS must be a number of at least 1, not {requested!r}")
        return min(int(requested), jobs)
    fitting = psutil.virtual_memory().available // PAGE_MEMORY
    return max(1, min(cores(), fitting, jobs)) if device == "cpu" else 1


def threads() -> int | None:
    """Return how many threads a page gets; None leaves that to the libraries."""
    return 1 if device_kind() == "cpu" else None


def cores() -> int:
    """Return how many cores this process may use; a container's quota counts."""
    return joblib.cpu_count()
