"""A drive that has no locks, as some network drives."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Loaded before all other libraries, it refuses locks on what lies in a folder, to Python and to SQLite.
REFUSING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int refused(int file) {
    char link[64], path[PATH_MAX + 1] = "";
    const char *folder = getenv("WITHOUT_LOCKS");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (!folder || readlink(link, path, PATH_MAX) < 0 || strncmp(path, folder, strlen(folder))) return 0;
    errno = atoi(getenv("WITHOUT_LOCKS_ERROR"));
    return 1;
}

#define CONTROL(NAME) int NAME(int file, int command, ...) {                                        \
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest);     \
    if ((command == F_SETLK || command == F_SETLKW) && refused(file)) return -1;                    \
    return ((int (*)(int, int, void *)) dlsym(RTLD_NEXT, #NAME))(file, command, argument);          \
}
CONTROL(fcntl)
#undef fcntl64
CONTROL(fcntl64)

int flock(int file, int operation) {
    if (refused(file)) return -1;
    return ((int (*)(int, int)) dlsym(RTLD_NEXT, "flock"))(file, operation);
}
"""


@contextmanager
def drive_without_locks(code: int) -> Iterator[None]:
    """Let every lock be refused with that error of the system. A warning is an error, as in a page."""

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(fcntl, "flock", refuse)
        warnings.simplefilter("error")
        yield


def without_locks(folder: Path, scratch: Path, code: int = errno.ENOLCK) -> dict[str, str]:
    """Return variables with which a program finds no locks in a folder, in SQLite's own code neither.

    Args:
        folder: whatever lies in it.
        scratch: for the library that refuses them.
        code: the system's error.
    """
    source, library = scratch / "refusing.c", scratch / "refusing.so"
    source.write_text(REFUSING)
    command: list[str | Path] = ["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"]
    if sys.platform != "linux" or not shutil.which("cc") or subprocess.run(command).returncode:
        pytest.skip("no C compiler of Linux is here, to refuse SQLite its locks")
    return {
        "LD_PRELOAD": str(library),
        "WITHOUT_LOCKS": str(folder.resolve()),
        "WITHOUT_LOCKS_ERROR": str(code),
    }
