"""Programs that stand in for others of their name."""

import os
from pathlib import Path

import pytest


def script(path: Path, lines: str) -> None:
    """Write a shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def stand_in(folder: Path, name: str, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a shell script be found before any other program of that name."""
    script(folder / "bin" / name, lines)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
