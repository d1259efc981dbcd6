"""A drive that has no locks, as some network drives."""

import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def drive_without_locks(code: int) -> Iterator[None]:
    """Let every lock be refused with that error of the system. A warning is an error, as in a page."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(fcntl, "flock", refuse)
        warnings.simplefilter("error")
        yield
