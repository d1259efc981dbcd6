"""What several tests need: the repository's paths, small data, and the built site."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dlbook.data import Source, Split

ROOT = Path(__file__).parents[1]


def chapter_paths() -> list[Path]:
    """Return the sources of all chapters, in alphabetical order."""
    return sorted((ROOT / "book" / "cnn").rglob("*.md"))


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


TALLY = pytest.StashKey[Counter[str]]()


@pytest.fixture
def tally(request) -> Callable[[str], None]:
    """Count a fault that was tried and survived; the counts end the test run."""
    counts = request.config.stash.setdefault(TALLY, Counter())
    return lambda fault: counts.update([fault])


def pytest_terminal_summary(terminalreporter, config) -> None:
    """Print how many faults were tried. What is counted was survived, or its test failed before."""
    counts = config.stash.get(TALLY, Counter())
    if counts:
        terminalreporter.section(f"faults tried and survived: {counts.total()}")
        for fault, count in sorted(counts.items()):
            terminalreporter.line(f"{count:5}  {fault}")
