"""How much memory a computation takes in this process, as the system counts it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dlbook import runtime

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
counted = pytest.mark.skipif(not RESET.exists(), reason="needs Linux's count of memory")


def growth(compute: Callable[[], object]) -> int:
    """Return by how many bytes this process grew at most while it computed, the result included."""
    runtime.release_memory()  # what lies free would be filled first, and no growth seen
    RESET.write_text("5")  # the peak begins anew
    before = _kilobytes("VmRSS")
    compute()
    return 1024 * (_kilobytes("VmHWM") - before)


def _kilobytes(name: str) -> int:
    return int(STATUS.read_text().split(f"{name}:")[1].split()[0])
