"""What several tests need: the repository's paths, small data, and the built site."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import pytest
import torch
from small_web import ARCHIVES, Server, entries

from dlbook import data
from dlbook.data import Dataset, Source, Split
from dlbook.data.registry import REGISTRY

# Fixtures of several folders' tests; a second conftest.py would hide this one from `from conftest import …`.
pytest_plugins = ["browsing", "playing", "seeing"]

ROOT = Path(__file__).parents[1]

# Under a hook, `git rebase -x` or `git bisect run`, git sets GIT_DIR, and every git of a test would write
# into the contributor's own repository. Nor is a test's git to sign or to run hooks, as a user configured,
# or to mind whose a folder is.
for _name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[_name]
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
os.environ |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}

# Started in the background of a script, tests and all that they start would ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


def chapter_paths() -> list[Path]:
    """Return the sources of all chapters, in alphabetical order."""
    return sorted((ROOT / "book" / "cnn").rglob("*.md"))


def pytest_xdist_auto_num_workers() -> int:
    """Run one test more at a time than there are cores: most wait for a browser, or for a slow line."""
    return joblib.cpu_count() + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder, so that nobody can forget it: `make test-fast` leaves both out."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder == "site" or (folder == "build" and not item.get_closest_marker("quick")):
            item.add_marker(folder)


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built site."""
    folder = ROOT / "_build" / "html"
    assert (folder / "index.html").exists(), "no site in _build/html: run `make book`, or `make test`"
    return folder


@pytest.fixture
def source() -> Source:
    """Where some imaginary, real data came from."""
    return Source("mnist", "The original files.", is_standin=False, sha256="0" * 64, license="MIT")


@pytest.fixture
def two_classes() -> Split:
    """200 images of 4×4 whose class is plain to see: the upper or the lower half is bright."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 2
    images = torch.randint(0, 60, (200, 1, 4, 4), generator=generator)
    images[labels == 0, :, :2] += 150
    images[labels == 1, :, 2:] += 150
    return Split(images.to(torch.uint8), labels, ("upper", "lower"))


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(ARCHIVES)
    yield server
    server.close()


@pytest.fixture
def web(server, tmp_path, monkeypatch) -> Server:
    """The server as the only source, and an empty data directory."""
    for name, entry in entries(server).items():
        monkeypatch.setitem(REGISTRY, name, entry)
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DLBOOK_STANDINS", raising=False)
    return server


@pytest.fixture(scope="session")
def truth(tmp_path_factory) -> dict[str, Dataset]:
    """Each tiny data set, fetched once from a good server."""
    server = Server(ARCHIVES)
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLBOOK_DATA", str(tmp_path_factory.mktemp("truth")))
        for name, entry in entries(server).items():
            patch.setitem(REGISTRY, name, entry)
            found[name] = data.load(name)
    server.close()
    return found


@pytest.fixture
def tally(record_property) -> Callable[[str], None]:
    """Count a fault that is tried; the counts end the test run."""
    return lambda fault: record_property("fault", fault)


def pytest_terminal_summary(terminalreporter) -> None:
    """Print how many faults were tried, and how many of them were survived: those whose test passed."""
    counts = {
        outcome: Counter(
            text
            for report in terminalreporter.stats.get(outcome, [])
            for name, text in report.user_properties
            if name == "fault" and report.when == "call"
        )
        for outcome in ("passed", "failed")
    }
    survived, tried = counts["passed"], counts["passed"] + counts["failed"]
    if tried:
        terminalreporter.section(f"faults: {tried.total()} tried, {survived.total()} survived")
        for fault, count in sorted(tried.items()):
            terminalreporter.line(f"{count:5} tried, {survived[fault]:5} survived  {fault}")
