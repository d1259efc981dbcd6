"""How much memory a page takes, measured from outside while it runs, and how much it may take."""

import threading
from pathlib import Path

import psutil

from dlbook.record import Provenance

# Bytes that a page may hold at once. Binder gives a reader's session 2 GB and ends what takes more;
# JupyterLab, and the parts of files that are being read, need the rest.
LIMIT = 1_500_000_000
# Seconds between two looks. What is held for a shorter time than that can go unseen.
INTERVAL = 0.02
# Looks until the next search for processes that were started meanwhile, which costs more than a look.
LOOKS = 50


def held(process: psutil.Process) -> int:
    """Return how many bytes a process holds that the system cannot take from it; 0 once it has ended.

    On Linux these are RssAnon and RssShmem: memory that no file on the disk backs. What is mapped from files,
    such as libraries and data sets, is not counted: where memory is short the system drops it, and reads it
    again when it is needed. Elsewhere it is what the process shares with no other (USS).
    """
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0 if Path("/proc/self/status").exists() else _unshared(process)
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return sum(1024 * int(lines[name].split()[0]) for name in ("RssAnon", "RssShmem") if name in lines)


def _unshared(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().uss
    except psutil.Error:
        return 0


class Watch:
    """Notes the most that a process and those that it starts hold together, until it is closed.

    Args:
        process_id: of the process.
        with_itself: False counts only the processes that it starts, such as a program's kernel.
    """

    def __init__(self, process_id: int, with_itself: bool = True) -> None:
        self.peak = 0
        self._lap = 0
        self._root, self._with_itself = psutil.Process(process_id), with_itself
        self._family = self._find()
        self._noting, self._closed = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def lap(self) -> int:
        """Return the most that was held since the last call, or since the start, in bytes."""
        self._note()
        with self._noting:
            most, self._lap = self._lap, 0
        return most

    def close(self) -> None:
        """Stop watching; `peak` stays."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        looks = 1
        while not self._closed.wait(INTERVAL):
            if looks % LOOKS == 0:
                self._family = self._find()
            looks += 1
            self._note()

    def _find(self) -> list[psutil.Process]:
        """Return the processes that count."""
        try:
            started = self._root.children(recursive=True)
        except psutil.Error:
            started = []
        return [self._root, *started] if self._with_itself else started

    def _note(self) -> None:
        now = sum(map(held, self._family))
        with self._noting:
            self.peak, self._lap = max(self.peak, now), max(self._lap, now)


def is_too_large(provenance: Provenance) -> bool:
    """Tell whether a page was seen to need more than the limit.

    Of a page that was computed on a GPU, nobody knows what it would hold on a CPU; its notebook's rehearsal
    measures that.
    """
    return provenance.device == "cpu" and provenance.peak_memory > LIMIT


def gigabytes(count: int) -> str:
    """Return a number of bytes as text."""
    return f"{count / 1e9:.2f} GB"
