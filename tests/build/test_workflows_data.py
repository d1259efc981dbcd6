"""What the workflows keep of the data and the weights: all of it, or nothing, and each apart."""

from pathlib import Path

import pytest
from expressions import holds
from platformdirs.unix import Unix
from test_workflows import EXECUTE, PUBLISH, PULL_REQUEST, WORKFLOWS, steps

from dlbook.data.checkpoints import Checkpoint
from dlbook.data.registry import REGISTRY

DATA, WEIGHTS = "~/.cache/dlbook", "~/.cache/torch/hub/checkpoints"
LOOKUP = "${{ needs.plan.result == 'success' }}"  # many runners: the pages are executed elsewhere
OUTCOMES = ("success", "failure", "skipped")


def _of_data(workflow: Path, *actions: str) -> list[dict]:
    """Return a workflow's steps that keep data or bring them back by one of these actions."""
    found = [step for step in steps(workflow) if step.get("uses", "").partition("@")[0] in actions]
    return [step for step in found if step["with"]["path"].startswith("~")]


def _fetches(workflow: Path) -> list[dict]:
    return [step for step in steps(workflow) if step.get("run") == "make fetch-data"]


def _names(fetch: dict) -> set[str]:
    return set(fetch["env"]["NAMES"].split("+"))


def _outcomes(fetch: dict, outcome: str, of_others: str) -> dict:
    """Return what GitHub says of a job's fetches, of which one has such an outcome."""
    others = {step["id"]: {"outcome": of_others} for file in WORKFLOWS for step in _fetches(file)}
    hits = {cached: {"outputs": {"cache-hit": ""}} for cached in ("data", "weights")}
    return others | hits | {fetch["id"]: {"outcome": outcome}}


def test_the_folders_are_those_of_the_data_and_the_weights(monkeypatch):
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert Path(DATA).expanduser() == Unix("dlbook").user_cache_path
    assert Path(WEIGHTS).expanduser() == REGISTRY["vgg16"].directory


def test_the_data_and_the_weights_outlive_a_change_of_the_registry_and_each_other():
    """A cache is kept once under a key, and is found under a new one by how that begins."""
    publish, check, a_page = [
        [step["with"] for step in _of_data(workflow, "actions/cache/restore")]
        for workflow in (PUBLISH, PULL_REQUEST, EXECUTE)
    ]
    looked_up, to_be_completed = publish[:2], publish[2:]
    assert [restored.pop("lookup-only") for restored in looked_up] == [LOOKUP] * 2
    assert looked_up == to_be_completed == check  # else one would not find what the other has kept
    assert a_page[1] == looked_up[1]
    kept = {workflow: _of_data(workflow, "actions/cache/save") for workflow in (PUBLISH, EXECUTE)}
    for restored in looked_up:  # else a run would not find what an earlier one has kept
        assert {name: restored[name] for name in ("path", "key")} in [step["with"] for step in kept[PUBLISH]]
    assert [{**step["with"], "restore-keys": a_page[0]["restore-keys"]} for step in kept[EXECUTE]] == a_page[
        :1
    ]
    for restored in (looked_up, a_page):
        assert [each["path"] for each in restored] == [DATA, WEIGHTS]
        assert all(each["key"].startswith(each["restore-keys"]) for each in restored)
        assert len({each["restore-keys"] for each in restored}) == len(restored)
    # A page's few data never pass for all.
    assert not a_page[0]["key"].startswith(looked_up[0]["restore-keys"])
    assert "${{ matrix.data }}" in a_page[0]["restore-keys"]


def test_every_data_set_and_all_weights_are_fetched_for_the_cache_of_their_folder():
    data, weights = map(_names, _fetches(PUBLISH))
    assert data | weights == REGISTRY.keys()
    assert weights == {name for name in REGISTRY if isinstance(REGISTRY[name], Checkpoint)}
    (of_a_page,) = _fetches(EXECUTE)
    assert _names(of_a_page) == {"${{ matrix.data }}"}


@pytest.mark.parametrize("of_others", OUTCOMES)
def test_data_are_kept_where_their_own_fetch_has_brought_all_whatever_another_has(of_others):
    """Under its key a cache is kept for good, and where it is found nothing is fetched."""
    kept = 0
    for workflow in WORKFLOWS:
        # `actions/cache` keeps whatever lies there behind a job that succeeds, also without some data.
        saves, fetches = _of_data(workflow, "actions/cache", "actions/cache/save"), _fetches(workflow)
        assert [step["with"]["path"] for step in saves] == [DATA, WEIGHTS][: len(fetches)]
        for save, fetch in zip(saves, fetches, strict=True):
            for outcome in OUTCOMES:
                said = {"steps": _outcomes(fetch, outcome, of_others)}
                is_kept = holds(save.get("if", "success()"), said, {"success": lambda: True})
                assert is_kept is (outcome == "success"), (workflow.name, save["name"], outcome)
            kept += 1
    assert kept == 3


@pytest.mark.parametrize("plan", ["success", "skipped"], ids=["many runners", "one runner"])
@pytest.mark.parametrize(("hit", "is_due"), [("", True), ("false", True), ("true", False)])
def test_what_no_cache_has_whole_is_fetched_on_top_of_the_last_one(plan, hit, is_due):
    """Without the last one, one dead host would keep away what was there already."""
    missed, other = {"outputs": {"cache-hit": hit}}, {"outputs": {"cache-hit": "true" if is_due else ""}}
    for fetch, own, restore in zip(
        _fetches(PUBLISH),
        ("data", "weights"),
        _of_data(PUBLISH, "actions/cache/restore")[2:],
        strict=True,
    ):
        cached = dict.fromkeys(("data", "weights"), other) | {own: missed}
        said = {"steps": cached, "needs": {"plan": {"result": plan}}}
        assert holds(fetch["if"], said, {"success": lambda: True}) is is_due
        # One runner has it already: there, the first step was no mere look.
        assert holds(restore["if"], said, {"success": lambda: True}) is (is_due and plan == "success")


@pytest.mark.parametrize("workflow", [PUBLISH, EXECUTE], ids=lambda path: path.stem)
def test_a_host_that_does_not_answer_or_trickles_fails_no_job(workflow):
    for fetch in _fetches(workflow):
        assert fetch["continue-on-error"] is True
        assert fetch["timeout-minutes"] <= 60
