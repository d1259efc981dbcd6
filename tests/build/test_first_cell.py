"""What a notebook's first cell asks pip for: the book's package, and nothing that is there already."""

import importlib.metadata
import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
from first_cell import first_cell

pytestmark = pytest.mark.quick


@pytest.fixture
def pip(monkeypatch) -> list[list[str]]:
    """What a notebook asks pip for, where the book's package is not there."""
    asked: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append([str(part) for part in command[3:]])
        return subprocess.CompletedProcess(command, int("refused>=1" in command), "", "No such version")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def surroundings(monkeypatch: pytest.MonkeyPatch, modules: set[str], requires: list[str]) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in modules else None)
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: requires)


@pytest.mark.parametrize(
    ("modules", "needed"), [(set(), ["numpy>=1", "opencv-python>=4"]), ({"cv2"}, ["numpy>=1"])]
)
def test_whichever_opencv_is_there_is_taken(pip, monkeypatch, modules, needed):
    surroundings(monkeypatch, modules, ["numpy>=1", "opencv-python>=4", 'sphinx>=7; extra == "book"'])
    exec(first_cell(), {})
    package, others = pip
    assert package[-2:] == ["--no-deps", "dlbook @ git+https://github.com/a/b@c0ffee"]
    assert others[:3] == ["install", "--quiet", "--constraint"]
    assert others[4:] == needed


def test_a_package_that_lacks_what_it_needs_does_not_stay(pip, monkeypatch):
    surroundings(monkeypatch, set(), ["refused>=1"])
    with pytest.raises(RuntimeError, match="No such version"):
        exec(first_cell(), {})
    assert pip[-1] == ["uninstall", "--quiet", "--yes", "dlbook"]


BROKEN = {
    "~umpy-1.0": "Name: numpy\nVersion: 1.0\n",  # pip leaves it where it was killed
    "Typing.Extensions-1.0": "Name: Typing.Extensions\nVersion: 1.0\n",
    "nameless-1.0": "Version: 1.0\n",
    "unversioned-1.0": "Name: unversioned\n",
    "unknown-1.16.0": "Name: unknown\nVersion: 1.16.0-unknown\n",
    "two_words-1.0": "Name: two words\nVersion: 1.0\n",
    "latin-1.0": "Name: latin\nAuthor: José\nVersion: 1.0\n",
}


def test_each_package_keeps_the_version_that_is_imported_whatever_the_others_say(pip, monkeypatch, tmp_path):
    """One constraint a name, however it is spelled: pip would take none of two."""
    for name, said in BROKEN.items():
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info" / "METADATA").write_text(said, encoding="latin-1")
    (tmp_path / "empty-1.0.dist-info").mkdir()
    used = importlib.metadata.version("numpy")
    surroundings(monkeypatch, set(), ["numpy>=1"])
    monkeypatch.syspath_prepend(tmp_path)
    exec(first_cell(), {})
    lines = Path(pip[0][pip[0].index("--constraint") + 1]).read_text().splitlines()
    names = [re.sub("[-_.]+", "-", line.partition("==")[0]).lower() for line in lines]
    assert len(set(names)) == len(names)
    versions = dict(zip(names, (line.partition("==")[2] for line in lines), strict=True))
    assert (versions["numpy"], versions["typing-extensions"]) == (used, "1.0")
    assert not {"latin", "unknown", "unversioned", "nameless", "empty", "none", "two words"} & versions.keys()
