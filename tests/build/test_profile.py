"""Where a page's time and memory go: cell by cell, and by the kind of work."""

import re
from pathlib import Path

import pytest
from bookbuild.__main__ import main
from bookbuild.book import Page
from bookbuild.run import profile, sampler
from conftest import ROOT
from small_book import FRONT_MATTER

pytestmark = pytest.mark.quick
CELLS = (
    "import sklearn.decomposition",
    "block = b'x' * 300_000_000\n{wait}\ndel block",
    "import time\ntime.sleep(1)",
    "from matplotlib import pyplot as plt\n[plt.subplots(3, 3) for _ in range(5)]\nplt.close('all')",
)
TRAINING, CONVOLUTION = ("/x/dlbook/training.py", "train_epoch"), ("/x/torch/nn/modules/conv.py", "forward")


def test_a_profile_says_what_each_cell_took(tmp_path, seeing):
    cells = [cell.replace("{wait}", seeing.wait(300_000_000)) for cell in CELLS]
    text = f"{FRONT_MATTER}\n# Page\n\n" + "\n".join(f"```{{code-cell}}\n{cell}\n```\n" for cell in cells)
    page = Page("page", tmp_path / "page.md", text)
    run = profile.ProfiledRun(page, page.notebook({}), tmp_path / "run", {})
    assert run.execute(1) is None
    importing, holding, waiting, drawing = costs = run.costs()
    begun = [text.splitlines()[cost.line - 1] for cost in costs]
    assert begun == [cell.splitlines()[0] for cell in CELLS]
    assert max(importing.kinds, key=importing.kinds.get) == "imports"
    assert holding.memory > 300_000_000 > waiting.memory
    assert waiting.kinds["other"] > 0.9 * sum(waiting.kinds.values())
    # The kernel may count late, and the build hear late, on a machine with much else to do.
    assert 0.1 * waiting.seconds < waiting.kinds["other"] < 10 * waiting.seconds
    assert waiting.seconds >= 1
    assert "figures" in drawing.kinds
    *rows, total, most = profile.report("page", costs)
    assert len(rows) == 1 + len(CELLS)
    assert total.startswith("page took ")
    assert most.endswith(f"in the cell of line {holding.line}")


@pytest.mark.parametrize(
    ("calls", "kind"),
    [
        ([CONVOLUTION, TRAINING], "training"),
        ([CONVOLUTION, ("/x/dlbook/training.py", "_answers"), TRAINING], "evaluation"),
        ([("/x/torchvision/transforms/v2/_misc.py", "forward"), TRAINING], "data"),
        ([("/x/torch/_dynamo/a.py", "<module>"), (sampler.IMPORTING, "_load"), TRAINING], "imports"),
        ([CONVOLUTION, ("/tmp/ipykernel_1/2.py", "<module>")], "networks"),
        ([("/x/dlbook/training.py", "make_optimizer")], "other"),
    ],
)
def test_the_innermost_known_call_decides_what_kind_of_work_it_is(monkeypatch, calls, kind):
    monkeypatch.setattr(sampler, "_calls", lambda frame: iter(calls))
    assert sampler.kind_of(None) == kind


def test_what_the_kinds_name_exists():
    for place in (place for places in sampler.KINDS.values() for place in places if "/dlbook/" in place):
        path, _, function = place.partition(":")
        source = Path(f"{ROOT}/src{path}")
        assert source.exists(), place
        assert not function or re.search(rf"^ *def {function}\(", source.read_text(), re.MULTILINE), place


def test_a_page_that_is_not_there_is_named(capsys):
    assert main(["--root", str(ROOT), "profile", "cnn/absent"]) == 1
    assert "no chapter 'cnn/absent': the book has cnn/" in capsys.readouterr().err
