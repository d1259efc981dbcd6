"""A runner of the small GitHub: it does a job's steps, in a fresh clone."""

import fnmatch
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expressions import Functions, fill, holds
from stand_in import script

if TYPE_CHECKING:
    from small_github import GitHub, Run

TOOLS = Path(sys.executable).parent
# Ask the package index, or the hosts of data, for gigabytes.
LEFT_OUT_COMMANDS = ("make upgrade", "make fetch-data", "make rehearse-notebooks")

Kept = dict[str, Path]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    told = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return told.stdout.strip()


class Machine:
    """A runner with a job to do.

    Args:
        github: that lends it.
        checkout: a folder that is not there yet.
        shell: the command that runs a script in the place of ``{0}``.
        contexts: what expressions may ask for; ``env`` and ``steps`` come with the job.
        run: what it is a part of.
    """

    def __init__(
        self, github: "GitHub", checkout: Path, shell: str, contexts: dict[str, Any], run: "Run"
    ) -> None:
        self.github, self.checkout, self.shell, self.run = github, checkout, shell, run
        self.environment: dict[str, str] = {}
        self.contexts = contexts | {"env": self.environment, "steps": {}}
        self.outcome = "success"
        self.saves: list[tuple[Path, str]] = []
        self.functions: Functions = {
            "success": lambda: self.outcome == "success",
            "always": lambda: True,
            "contains": lambda text, part: part in text,
            "hashFiles": lambda pattern: "a-checksum" * any(self.checkout.glob(pattern)),
        }
        checkout.mkdir()

    def do(self, job: dict[str, Any]) -> str:
        """Do the steps in order; return ``success`` or ``failure``."""
        self.environment.update({key: self.fill(said) for key, said in job.get("env", {}).items()})
        for step in job["steps"]:
            said = self.contexts["steps"].setdefault(step.get("id"), {"outputs": {}, "outcome": "skipped"})
            if not holds(step.get("if", "success()"), self.contexts, self.functions):
                continue
            title = step.get("name") or step.get("uses", "").partition("@")[0] or step["run"]
            has_succeeded = self.use(step) if "uses" in step else self.script(step)
            said["outcome"] = "success" if has_succeeded else "failure"
            if not has_succeeded:
                self.run.failed.append(title)
                if not step.get("continue-on-error"):
                    self.outcome = "failure"
            self.run.done.append(title)
        if self.outcome == "success":
            for path, key in self.saves:
                self.keep(path, self.github.caches, key)
        return self.outcome

    def outputs(self, job: dict[str, Any]) -> dict[str, str]:
        """Return what the job hands to later ones."""
        if self.outcome != "success":
            return {}
        return {name: self.fill(said) for name, said in job.get("outputs", {}).items()}

    def fill(self, text: Any) -> str:
        return str(fill(text, self.contexts, self.functions))

    def script(self, step: dict[str, Any]) -> bool:
        lines = step["run"].splitlines()
        left_out = {line for line in lines if line.startswith(LEFT_OUT_COMMANDS)}
        self.run.left_out |= left_out
        if "make upgrade" in left_out:
            self.upgrade()
        path, outputs = self.checkout.with_suffix(".sh"), self.checkout.with_suffix(".outputs")
        path.write_text("\n".join(line for line in lines if line not in left_out))
        outputs.write_text("")
        own = {key: self.fill(said) for key, said in step.get("env", {}).items()}
        finished = subprocess.run(
            self.shell.format(path).split(),
            cwd=self.checkout,
            env=self.surroundings() | {"GITHUB_OUTPUT": str(outputs)} | self.environment | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.run.said += finished.stdout
        said = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        self.contexts["steps"][step.get("id")]["outputs"] = said
        return finished.returncode == 0

    def upgrade(self) -> None:
        """Do what `make upgrade` and `make env` would have done."""
        lock = self.checkout / "requirements.txt"
        for before, after in self.github.newest.items():
            lock.write_text(lock.read_text().replace(before, after))
        mark_as_ready(self.checkout)

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

    def use(self, step: dict[str, Any]) -> bool:
        """Do what an action does, as far as this machine can."""
        action, options = step["uses"].partition("@")[0], step.get("with", {})
        path = options.get("path", ".")
        if action in ("actions/setup-python", "actions/deploy-pages") or path.startswith("~"):
            self.run.left_out.add(" ".join([action, *path.split()]).removesuffix(" ."))
            self.contexts["steps"][step.get("id")]["outputs"] = {"cache-hit": ""}
        elif action == "actions/checkout":
            depth = options.get("fetch-depth", 1)  # 0: all
            part = [f"--depth={depth}"] if depth else []
            git(self.checkout, "clone", "-q", *part, self.github.origin.as_uri(), ".")
            lend_environment(self.checkout)
        elif action in ("actions/cache", "actions/cache/restore"):
            self.restore(self.checkout / path, options)
            if action == "actions/cache":
                self.saves.append((self.checkout / path, self.fill(options["key"])))
        elif action == "actions/cache/save":
            self.keep(self.checkout / path, self.github.caches, self.fill(options["key"]))
        elif action == "actions/upload-artifact":
            hidden = options.get("include-hidden-files", False)
            for pattern in path.split():
                for found in self.checkout.glob(pattern):
                    below = "." if found.is_dir() else str(found.relative_to(self.checkout))
                    self.upload(found, self.fill(options["name"]), hidden, below)
        elif action == "actions/upload-pages-artifact":
            self.upload(self.checkout / path, "github-pages")
        elif action == "actions/download-artifact":
            self.download(self.checkout / path, options)
        else:
            raise ValueError(f"a workflow uses {action}, which this rehearsal does not know")
        return True

    def restore(self, path: Path, options: dict[str, Any]) -> None:
        """Bring back the newest cache whose key begins as one of those that are asked for."""
        for key in map(self.fill, [options["key"], *options["restore-keys"].splitlines()]):
            for kept in (kept for kept in reversed(self.github.caches) if kept.startswith(key)):
                shutil.copytree(self.github.caches[kept], path)
                return

    def upload(self, path: Path, name: str, hidden: bool = False, below: str = ".") -> None:
        self.keep(path, self.run.artifacts, name, hidden, below)
        self.github.artifacts |= self.run.artifacts

    def download(self, path: Path, options: dict[str, Any]) -> None:
        """Copy one artifact, or all whose names fit a pattern: several each into a folder of its own."""
        if "name" in options:
            shutil.copytree(self.run.artifacts[options["name"]], path, dirs_exist_ok=True)
            return
        names = fnmatch.filter(self.run.artifacts, options["pattern"])
        for name in names:
            below = path / name if len(names) > 1 else path
            shutil.copytree(self.run.artifacts[name], below, dirs_exist_ok=True)

    def keep(self, path: Path, kept: Kept, name: str, hidden: bool = True, below: str = ".") -> None:
        """Store a copy; the actions that upload leave hidden files out unless they are asked for."""
        target = self.github.folder / "kept" / f"{self.github.runs}-{name.replace('/', '_')}"
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
    for tool in TOOLS.iterdir():
        if os.access(tool, os.X_OK) and not tool.name.startswith(("uv", "pip")):
            script(programs / tool.name, f'exec "{tool}" "$@"')
    mark_as_ready(checkout)


def mark_as_ready(checkout: Path) -> None:
    """Say, as `make env` does, which folder the environment belongs to."""
    (checkout / ".venv" / ".ready").write_text(f"{checkout.resolve()}\n")
