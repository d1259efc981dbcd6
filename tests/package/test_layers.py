"""What CONTRIBUTING.md says of the package's modules is what import-linter is told to hold."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def contract():
    """The lines of the contract for the whole package, lowest first, each a set of modules."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in settings["contracts"] if each["containers"] == ["dlbook"])
    return [{module.strip() for module in line.split("|")} for line in reversed(layers)]


def test_contributors_read_the_order_that_is_checked():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    listed = re.findall(r"`(\w+)`", re.search(r"imports run downwards only:(.*?)\.\n", text, re.S)[1])
    for line in contract():
        assert set(listed[: len(line)]) == line
        del listed[: len(line)]
    assert listed == []
