"""A program that goes on when what it holds was seen, however seldom a busy machine lets others look."""

from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from bookbuild import memory

# Seconds until a program goes on even though nobody has seen it: far from any real machine.
PATIENCE = 240


@dataclass
class Seeing:
    """Marks a file when a process was seen to hold as much as a test waits for, and that was noted.

    Attributes:
        file: the mark.
        most: the bytes to be seen; 0 while no program waits.
        looks: how often they were seen. At the second look, the first was noted.
    """

    file: Path
    most: int = 0
    looks: int = 0

    def wait(self, most: int) -> str:
        """Return code that waits until somebody has seen that so many bytes are held."""
        self.most = most
        names = f"seen, over = pathlib.Path({str(self.file)!r}), time.monotonic() + {PATIENCE}"
        wait = "while not seen.exists() and time.monotonic() < over: time.sleep(0.02)"
        return f"import pathlib, time; {names}\n{wait}"


@pytest.fixture
def seeing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seeing:
    """What `bookbuild.memory` sees of the processes that it watches."""
    found, held = Seeing(tmp_path / "seen"), memory.held

    def held_and_seen(process: psutil.Process) -> int:
        count = held(process)
        if found.most and count >= found.most:
            found.looks += 1
            if found.looks > 1:
                found.file.touch()
        return count

    monkeypatch.setattr(memory, "held", held_and_seen)
    return found
