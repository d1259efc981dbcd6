"""What is asked to terminate ends as at a Ctrl-C, and takes what it started with it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def terminable() -> Iterator[None]:
    """Raise a `KeyboardInterrupt` when this process is asked to terminate: what is running is then ended."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end(process_id: int) -> None:
    """End a process and all that it and its children have started, in groups of their own too, at once."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process_id)
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
