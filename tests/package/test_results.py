"""Results: what is displayed, what is kept, and what breaks a promise."""

import dataclasses
import json
import statistics

import nbclient
import nbformat
import pytest
from dlbook_results import read_results

from dlbook import results


def test_a_result_shows_mean_and_spread(source):
    values = [0.981, 0.985, 0.986]
    result = results.record("accuracy", values, ".2%", source, seeds=range(3))
    assert result.mean == pytest.approx(statistics.mean(values))
    assert result.std == pytest.approx(statistics.stdev(values))
    assert str(result) == "98.40 ± 0.26%"
    assert repr(result) == "accuracy: 98.40 ± 0.26% (n = 3)"


def test_a_single_value_shows_no_spread(source):
    assert repr(results.record("parameters", 669_706, ",d", source)) == "parameters: 669,706"


@pytest.mark.parametrize("values", [[], [float("nan")], float("inf")])
def test_numbers_that_are_none_are_refused(source, values):
    with pytest.raises(ValueError, match="finite numbers"):
        results.record("accuracy", values, ".2%", source)


def test_every_value_needs_its_seed(source):
    with pytest.raises(ValueError, match="2 values, but 3 seeds"):
        results.record("accuracy", [0.1, 0.2], ".2%", source, seeds=range(3))


def test_a_floor_holds_or_breaks(source):
    result = results.record("accuracy", 0.98, ".1%", source)
    assert results.require(result, at_least=0.98).endswith("Held.")
    with pytest.raises(results.FloorError, match=r"98\.0%; promised: at least 99\.0%"):
        results.require(result, at_least=0.99)
    with pytest.raises(results.FloorError, match=r"at most 97\.0%"):
        results.require(result, at_most=0.97)
    with pytest.raises(ValueError, match="at_least or at_most"):
        results.require(result)


def test_a_standin_is_not_judged(source):
    standin = dataclasses.replace(source, is_standin=True)
    result = results.record("accuracy", 0.5, ".1%", standin)
    assert "Not judged" in results.require(result, at_least=0.99)


def test_results_survive_in_the_executed_notebook(tmp_path):
    """Run real cells in a real kernel, and gather from the notebook what the build would gather."""
    cells = [
        "from dlbook import results\n"
        "from dlbook.data import Source\n"
        "source = Source('mnist', 'Some.', is_standin=False, sha256='ab', license='MIT')\n"
        "accuracy = results.record('accuracy', [0.5, 0.7], '.1%', source, seeds=range(2), seconds=3)\n"
        "noise = Source('noise', 'Random numbers.', is_standin=False, sha256='cd', license='CC0-1.0')\n"
        "results.record('level', 1.0, '.1f', noise)\n"
        "results.quote('share', 0.25, '.0%')",
        "print(results.require(accuracy, at_least=0.5))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}}).execute()
    nbformat.validate(notebook)
    glued = {
        output.metadata["scrapbook"]["name"]: {
            "data": {
                kind.removeprefix("application/papermill.record/"): value
                for kind, value in output.data.items()
            }
        }
        for cell in notebook.cells
        for output in cell.outputs
        if "scrapbook" in output.get("metadata", {})
    }
    assert glued["share"]["data"]["text/plain"] == "'25%'"
    gathered = read_results(glued)
    assert list(gathered) == ["accuracy", "level", "provenance"]
    assert gathered["accuracy"]["mean"] == pytest.approx(0.6)
    assert gathered["accuracy"]["seeds"] == [0, 1]
    assert gathered["accuracy"]["floor"] == {"at_least": 0.5, "at_most": None}
    assert [gathered[name]["source"] for name in ("accuracy", "level")] == ["mnist", "noise"]
    assert [source["sha256"] for source in gathered["provenance"]["data"]] == ["ab", "cd"]
    assert json.dumps(gathered)
