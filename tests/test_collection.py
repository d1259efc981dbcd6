"""Whether pytest finds every test: it passes over folders of some names, and says nothing."""

import subprocess
import sys

from conftest import ROOT

# Prints what pytest would read. Without its plugin for Python it imports none of these files.
LISTING = """
import sys, pytest

class Listing:
    def pytest_collect_file(self, file_path):
        print("found", file_path)

pytest.main(["--collect-only", "--noconftest", "-p", "no:python", "-n0"], plugins=[Listing()])
"""


def test_every_test_file_is_found_when_pytest_is_called_without_a_path():
    listed = subprocess.run(
        [sys.executable, "-c", LISTING], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    found = {line.removeprefix("found ") for line in listed.stdout.splitlines() if line.startswith("found ")}
    assert {str(path) for path in (ROOT / "tests").rglob("test_*.py")} <= found, listed.stdout + listed.stderr
