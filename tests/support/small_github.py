"""A small GitHub: a bare repository, and runners that do a workflow's steps in a fresh clone of it.

What only GitHub can do is left out, and named in `Run.left_out`. Nothing is fetched from a network.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from conftest import ROOT

TOOLS = Path(sys.executable).parent
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
# Asks the package index for the newest versions, and would install gigabytes.
LEFT_OUT_COMMANDS = ("make upgrade",)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    told = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return told.stdout.strip()


@dataclass
class Run:
    """What one run of a workflow did: each job's outcome, its steps by name, and all that they said."""

    outcomes: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    said: str = ""


class GitHub:
    """A repository with its workflows, caches, artifacts and site; the default branch is ``main``.

    Attributes:
        newest: what `make upgrade` puts in the place of a text in requirements.txt.
    """

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder = folder
        self.variables = variables
        self.origin = folder / "origin.git"
        self.caches: dict[str, Path] = {}
        self.artifacts: dict[str, Path] = {}
        self.newest: dict[str, str] = {}
        self.runs = 0
        git(folder, "init", "-q", "--bare", "--initial-branch=main", "origin.git")
        for program in ("gh", "npx"):
            path = folder / "stubs" / program
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\necho "{program} $*" >> {folder}/{program}.log\n')
            path.chmod(0o755)

    def run(self, workflow: str, gpu_runner: str = "", branch: str = "main", cut_off: str = "") -> Run:
        """Do a workflow's jobs in order, each on a machine of its own.

        Args:
            workflow: such as ``publish``.
            gpu_runner: the repository variable.
            branch: that it is started for.
            cut_off: a job that runs out of time, and is not done.
        """
        self.runs += 1
        content = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text())
        run = Run()
        for name, job in content["jobs"].items():
            needed = run.outcomes.get(job.get("needs"), "success")
            if not _is_due(job.get("if", "success()"), needed, branch):
                run.outcomes[name] = "skipped"
                continue
            if name == cut_off:
                run.outcomes[name] = "cancelled"
                continue
            machine = self.folder / f"run-{self.runs}-{name}"
            machine.mkdir()
            shell = content["defaults"]["run"]["shell"]
            Machine(self, machine, shell, gpu_runner, needed).do(name, job, run)
        return run


def _is_due(condition: str, needed: str, branch: str) -> bool:
    """Tell whether a job is done, from its condition and from how the job went that it needs."""
    return {
        "success()": needed == "success",
        "github.ref == 'refs/heads/main'": needed == "success" and branch == "main",
        "always() && needs.build.result != 'success'": needed != "success",
    }[condition]


@dataclass
class Machine:
    """A runner with a job to do."""

    github: GitHub
    checkout: Path
    shell: str
    gpu_runner: str
    needed: str
    environment: dict[str, str] = field(default_factory=dict)

    def do(self, name: str, job: dict[str, Any], run: Run) -> None:
        self.environment = {key: self.fill(value) for key, value in job.get("env", {}).items()}
        run.outcomes[name] = "success"
        for step in job["steps"]:
            if run.outcomes[name] != {"success()": "success"}.get(
                step.get("if", "success()"), run.outcomes[name]
            ):
                continue
            assert step.get("if", "success()") in ("success()", "always()"), step
            title = step.get("name") or step.get("uses", "").partition("@")[0] or step["run"]
            if not (self.use(step, run) if "uses" in step else self.script(step, run)):
                run.outcomes[name] = "failure"
                run.failed.append(title)
            run.done.append(title)

    def fill(self, text: str) -> str:
        """Put values in the place of expressions; one that is unknown here is an error."""
        gpu = self.gpu_runner
        values = {
            "vars.GPU_RUNNER && 'cuda' || 'cpu'": "cuda" if gpu else "cpu",
            "vars.GPU_RUNNER && 'gpu' || 'cpu'": "gpu" if gpu else "cpu",
            "env.DLBOOK_EXPECT_DEVICE": self.environment.get("DLBOOK_EXPECT_DEVICE"),
            "github.run_id": str(self.github.runs),
            "github.run_attempt": "1",
            "github.server_url": "https://github.com",
            "github.repository": "someone/book",
            "github.token": "a-token",
            "needs.build.result": self.needed,
        }
        return EXPRESSION.sub(lambda found: values[found[1]] or "", str(text))

    def script(self, step: dict[str, Any], run: Run) -> bool:
        lines = step["run"].splitlines()
        if left_out := {line for line in lines if line in LEFT_OUT_COMMANDS}:
            run.left_out |= left_out
            self.upgrade()
        path = self.checkout.with_suffix(".sh")
        path.write_text("\n".join(line for line in lines if line not in LEFT_OUT_COMMANDS))
        own = {key: self.fill(value) for key, value in step.get("env", {}).items()}
        finished = subprocess.run(
            self.shell.format(path).split(),
            cwd=self.checkout,
            env=self.surroundings() | self.environment | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        run.said += finished.stdout
        return finished.returncode == 0

    def upgrade(self) -> None:
        """Do what `make upgrade` and `make env` would have done."""
        lock = self.checkout / "requirements.txt"
        for before, after in self.github.newest.items():
            lock.write_text(lock.read_text().replace(before, after))
        (self.checkout / ".venv" / ".ready").touch()

    def surroundings(self) -> dict[str, str]:
        """Return a runner's variables: none of this book's, and no network."""
        outer = {key: value for key, value in os.environ.items() if not key.startswith(("DLBOOK", "MAKE"))}
        return outer | {
            "PATH": f"{self.github.folder / 'stubs'}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_REPOSITORY": "someone/book",
            "GITHUB_RUN_ID": str(self.github.runs),
            "GITHUB_STEP_SUMMARY": str(self.github.folder / "summary.md"),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            **self.github.variables,
        }

    def use(self, step: dict[str, Any], run: Run) -> bool:
        """Do what an action does, as far as this machine can."""
        action, options = step["uses"].partition("@")[0], step.get("with", {})
        path = options.get("path", ".")
        if action in ("actions/setup-python", "actions/deploy-pages") or path.startswith("~"):
            run.left_out.add(" ".join([action, *path.split()]).removesuffix(" ."))
        elif action == "actions/checkout":
            depth = str(options.get("fetch-depth", 1))
            git(self.checkout, "clone", "-q", f"--depth={depth}", self.github.origin.as_uri(), ".")
            lend_environment(self.checkout)
        elif action == "actions/cache/restore":
            keys = [self.fill(options["key"]), self.fill(options["restore-keys"])]
            for kept in (kept for kept in reversed(self.github.caches) if kept.startswith(tuple(keys))):
                shutil.copytree(self.github.caches[kept], self.checkout / path)
                break
        elif action == "actions/cache/save":
            self.keep(self.checkout / path, self.github.caches, self.fill(options["key"]), hidden=True)
        elif action == "actions/upload-artifact":
            hidden = options.get("include-hidden-files", False)
            for pattern in path.split():
                for found in self.checkout.glob(pattern):
                    below = "." if found.is_dir() else str(found.relative_to(self.checkout))
                    self.keep(found, self.github.artifacts, options["name"], hidden, below)
        elif action == "actions/upload-pages-artifact":
            self.keep(self.checkout / path, self.github.artifacts, "github-pages", hidden=False)
        elif action == "actions/download-artifact":
            shutil.copytree(self.github.artifacts[options["name"]], self.checkout / path, dirs_exist_ok=True)
        else:
            raise ValueError(f"a workflow uses {action}, which this rehearsal does not know")
        return True

    def keep(self, path: Path, kept: dict[str, Path], name: str, hidden: bool, below: str = ".") -> None:
        """Store a copy; the actions that upload leave hidden files out unless they are asked for."""
        target = self.github.folder / "kept" / f"{self.github.runs}-{name}"
        if path.is_dir():
            shutil.copytree(path, target, ignore=None if hidden else shutil.ignore_patterns(".*"))
        elif path.exists():
            (target / below).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / below)
        if path.exists():
            kept[name] = target


def lend_environment(checkout: Path) -> None:
    """Give a clone the programs of this test's environment, as `make env` would, but no installer."""
    programs = checkout / ".venv" / "bin"
    programs.mkdir(parents=True)
    for tool in TOOLS.iterdir():
        if os.access(tool, os.X_OK) and not tool.name.startswith(("uv", "pip")):
            wrapper = programs / tool.name
            wrapper.write_text(f'#!/bin/sh\nexec "{tool}" "$@"\n')
            wrapper.chmod(0o755)
    (checkout / ".venv" / ".ready").touch()
