"""What a page hands over: numbers as they are shown, kept, and read back."""

import json
import statistics

import numpy as np
import pytest
import torch

from dlbook import data, pages, results
from dlbook.record import Record, Result


@pytest.fixture(autouse=True)
def nothing_reported(monkeypatch):
    monkeypatch.setattr(results, "_reported", {})
    monkeypatch.delenv(pages.SAVES, raising=False)


def reported(name: str) -> Result:
    return results.record().results[name]


def test_a_result_shows_mean_and_spread(source):
    values = [0.981, 0.985, 0.986]
    results.report(source, seeds=range(3), accuracy=values)
    result = reported("accuracy")
    assert result.mean == pytest.approx(statistics.mean(values))
    assert result.std == pytest.approx(statistics.stdev(values))
    assert result.show(".2%") == "98.40 ± 0.26%"
    assert (result.n, result.seeds, result.data) == (3, (0, 1, 2), "mnist")


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (669_706, ",d", "669,706"),
        (669_706, "", "669706"),
        (0.00001234, ".1e", "1.2e-05"),
        (-0.0001, ".1f", "0.0"),
        (-0.0001, "+.1%", "0.0%"),
        (0.0123, "+.1pp", "+1.2 points"),
        ([0.01, 0.03], ".1pp", "2.0 ± 1.4 points"),
        ([0.01, 0.03], "+.0%", "+2 ± 1%"),
        ("a 4", "", "a 4"),
    ],
)
def test_how_numbers_are_shown(value, form, shown):
    assert results.shown(value, form) == shown


@pytest.mark.parametrize("several", [(1.0, 2.0), np.array([1.0, 2.0]), torch.tensor([1.0, 2.0])])
def test_several_numbers_come_in_any_form(several):
    results.report(loss=several, single=several[0])
    assert reported("loss").values == (1.0, 2.0)
    assert reported("single").values == (1.0,)
    assert reported("loss").data is None


@pytest.mark.parametrize("values", [[], [float("nan")], float("inf")])
def test_numbers_that_are_none_are_refused(values):
    with pytest.raises(ValueError, match="finite"):
        results.report(accuracy=values)


def test_every_value_needs_its_seed():
    with pytest.raises(ValueError, match="2 values, but 3 seeds"):
        results.report(seeds=range(3), accuracy=[0.1, 0.2])


def test_a_reader_may_run_a_cell_again_and_the_build_has_one_number_a_name(monkeypatch, tmp_path):
    results.report(accuracy=0.5)
    results.report(accuracy=0.6)
    assert reported("accuracy").values == (0.6,)
    monkeypatch.setenv(pages.SAVES, str(tmp_path))
    with pytest.raises(ValueError, match="accuracy"):
        results.report(accuracy=0.7)


def test_a_record_survives_json(tmp_path, monkeypatch):
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "none"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr(pages, "_saved", {})
    mnist = data.load("mnist")  # a stand-in, as there is no network
    monkeypatch.setenv(pages.SAVES, str(tmp_path))
    pages.save("table", {"a": [1, 2]})
    results.report(mnist, accuracy=0.5, worst="a 4")
    results.write(tmp_path / "record.json")
    record = Record.from_json((tmp_path / "record.json").read_text())
    assert record.results == {"accuracy": Result((0.5,), (), "mnist"), "worst": Result(("a 4",), (), "mnist")}
    assert record.provenance.is_standin
    assert mnist.source in record.provenance.data
    assert record.provenance.torch == torch.__version__
    assert record.files["table"].file == "table.json"
    assert record == Record.from_json(record.to_json())
    assert json.loads(record.to_json())["results"]["accuracy"]["mean"] == 0.5


@pytest.mark.parametrize("text", ["{}", '{"results": {"a": {}}, "files": {}, "provenance": {}}'])
def test_what_is_no_record_is_refused(text):
    with pytest.raises(ValueError, match="not a page's record"):
        Record.from_json(text)
