"""A small GitHub: a bare repository, and runners that do a workflow's steps in a fresh clone of it.

What only GitHub can do is left out, and named in `Run.left_out`. Nothing is fetched from a network.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT
from expressions import Functions, fill, holds
from small_runner import Kept, Machine, git
from stand_in import script


@dataclass
class Run:
    """What one run of a workflow did: each job's outcome, its steps by name, and all that they said.

    Attributes:
        outcomes: job → ``success``, ``failure``, ``cancelled`` or ``skipped``.
        pages: of a job on many runners, such as ``first / cnn/one``, the same.
        outputs: job → name → text.
        artifacts: name → folder.
        done: the steps that were done; failed: those that failed.
        left_out: what only GitHub can do.
    """

    outcomes: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    artifacts: Kept = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    said: str = ""


class GitHub:
    """A repository with its workflows, caches, artifacts and site; the default branch is ``main``.

    Attributes:
        artifacts: the last of each name, of all runs.
        newest: what `make upgrade` puts in the place of a text in requirements.txt.
    """

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.variables = variables
        self.origin = folder / "origin.git"
        self.caches: Kept = {}
        self.artifacts: Kept = {}
        self.newest: dict[str, str] = {}
        self.runs = 0
        git(folder, "init", "-q", "--bare", "--initial-branch=main", "origin.git")
        for program in ("gh", "npx"):
            script(folder / "stubs" / program, f'echo "{program} $*" >> {folder}/{program}.log')

    def run(
        self, workflow: str, gpu_runner: str = "", runners: str = "", branch: str = "main", cut_off: str = ""
    ) -> Run:
        """Do a workflow's jobs in order, each on a machine of its own.

        Args:
            workflow: such as ``publish``.
            gpu_runner: the repository variable.
            runners: the repository variable.
            branch: that it is started for.
            cut_off: a job that runs out of time, and is not done.
        """
        self.runs += 1
        contexts = {
            "vars": {"GPU_RUNNER": gpu_runner, "RUNNERS": runners},
            "github": {
                "ref": f"refs/heads/{branch}",
                "run_id": str(self.runs),
                "run_attempt": "1",
                "server_url": "https://github.com",
                "repository": "someone/book",
                "token": "a-token",
            },
        }
        run, content = Run(), read(f".github/workflows/{workflow}.yml")
        jobs = content["jobs"]
        for name, job in jobs.items():
            status = status_after({run.outcomes[each] for each in ancestors(name, jobs)})
            needed = {
                each: {"result": run.outcomes[each], "outputs": run.outputs.get(each, {})}
                for each in needs(job)
            }
            known = contexts | {"needs": needed}
            if not holds(job.get("if", "success()"), known, status):
                run.outcomes[name] = "skipped"
            elif name == cut_off:
                run.outcomes[name] = "cancelled"
            else:
                run.outcomes[name] = self.do(name, job, shell_of(content), known, run)
        return run

    def do(self, name: str, job: dict[str, Any], shell: str, contexts: dict[str, Any], run: Run) -> str:
        """Do a job, or all of a matrix or of a workflow that it calls; return its outcome."""
        if "uses" in job:
            inputs = {key: fill(said, contexts, {}) for key, said in job["with"].items()}
            called = read(job["uses"].removeprefix("./"))
            (job,), shell = called["jobs"].values(), shell_of(called)
            contexts = {"vars": contexts["vars"], "github": contexts["github"], "inputs": inputs}
        strategy = job.get("strategy", {})
        rows = fill(strategy["matrix"]["include"], contexts, {"fromJSON": json.loads}) if strategy else [{}]
        assert rows, f"{name}: GitHub refuses an empty matrix"
        outcomes: list[str] = []
        for index, row in enumerate(rows):
            own = contexts | {"matrix": row, "strategy": {"job-index": index}}
            if "failure" in outcomes and strategy.get("fail-fast", True):
                outcomes.append("cancelled")
            else:
                folder = self.folder / f"run-{self.runs}-{name}-{index}"
                machine = Machine(self, folder, shell, own, run)
                outcomes.append(machine.do(job))
                run.outputs[name] = machine.outputs(job)
            if strategy:
                run.pages[f"{name} / {fill(job['name'], own, {})}"] = outcomes[-1]
        return "failure" if "failure" in outcomes else outcomes[-1]


def read(workflow: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / workflow).read_text())


def shell_of(content: dict[str, Any]) -> str:
    return content["defaults"]["run"]["shell"]


def needs(job: dict[str, Any]) -> list[str]:
    """Return the jobs that a job names, one or a list."""
    said = job.get("needs", [])
    return [said] if isinstance(said, str) else said


def ancestors(name: str, jobs: dict[str, Any]) -> set[str]:
    """Return the jobs behind which one runs, however far: GitHub's ``success()`` asks for all of them."""
    direct = needs(jobs[name])
    return {*direct, *(far for each in direct for far in ancestors(each, jobs))}


def status_after(outcomes: set[str]) -> Functions:
    """Return GitHub's functions of a job's condition, for the outcomes of all jobs behind which it runs."""
    return {
        "success": lambda: outcomes <= {"success"},
        "failure": lambda: "failure" in outcomes,
        "cancelled": lambda: False,  # which asks for the run, and not for a job before
        "always": lambda: True,
    }
