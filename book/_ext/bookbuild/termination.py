"""What is asked to terminate ends as at a Ctrl-C, and takes what it started with it."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import psutil

# What asks a process to end: a service or `kill`; and a terminal that is closed (Windows has none).
ASKING = [signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def terminable() -> Iterator[None]:
    """Raise a `KeyboardInterrupt` when this process is asked to end, and end what it has started by then.

    Who starts a program ends it, too; but the signal may come before they know that it has begun.
    """

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    # Where it is to outlive its terminal, as under nohup, that stays so.
    before = {each: found for each in ASKING if (found := signal.getsignal(each)) != signal.SIG_IGN}
    for each in before:
        signal.signal(each, stop)
    try:
        yield
    except KeyboardInterrupt:
        _kill(psutil.Process().children(recursive=True))
        raise
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def end(process_id: int) -> None:
    """End a process and all that it and its children have started, in groups of their own too, at once."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process_id)
        started = root.children(recursive=True)
        root.kill()
        _kill(started)


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
