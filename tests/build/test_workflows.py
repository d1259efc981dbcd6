"""What GitHub and Binder read: that it is well formed, safe, and pushes what it should."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from expressions import holds
from packaging.requirements import Requirement
from repo2docker.buildpacks import PythonBuildPack
from small_runner import git

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PULL_REQUEST, PUBLISH, EXECUTE = (
    ROOT / ".github" / "workflows" / f"{name}.yml" for name in ("pull-request", "publish", "execute")
)
TOOLS = Path(sys.executable).parent


def steps(path: Path):
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        yield from job.get("steps", [])


def test_where_git_does_not_answer_the_changes_are_said_to_be_unknown(tmp_path):
    """As in a copy without .git, or one that belongs to somebody else."""
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    command = [sys.executable, "-m", "bookbuild", "--root", tmp_path, "changes"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "book" / "_ext")}
    said = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert said.returncode == 1
    assert said.stderr.startswith("What changed is not known: ")
    assert "Traceback" not in said.stderr


def test_the_workflows_follow_github_s_schema():
    schema = "vendor.github-workflows"
    subprocess.run([TOOLS / "check-jsonschema", "--builtin-schema", schema, *WORKFLOWS], check=True)
    dependabot = [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.dependabot"]
    subprocess.run([*dependabot, ROOT / ".github" / "dependabot.yml"], check=True)


def test_zizmor_finds_nothing():
    told = subprocess.run(
        [TOOLS / "zizmor", "--offline", "--persona", "regular", ROOT / ".github"],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_jobs_are_limited(workflow):
    text = workflow.read_text()
    content = yaml.safe_load(text)
    own = [job["uses"] for job in content["jobs"].values() if "uses" in job]
    for action in re.findall(r"uses: (.*)", text):
        pinned = re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
        assert pinned or action.partition(" ")[0] in own
    assert "-euo pipefail" in content["defaults"]["run"]["shell"]
    for job in content["jobs"].values():
        if "uses" in job:  # it is limited where it is written down
            assert (ROOT / job["uses"]) in WORKFLOWS
        else:
            assert job["timeout-minutes"] <= 300


def test_every_pinned_action_runs_on_what_runners_have():
    """Runners drop an old Node for good: what each version declares was read in its action.yml, and noted."""
    declared = yaml.safe_load((ROOT / ".github" / "runtimes.yml").read_text())
    assert declared.keys() == {f"{action} {version.partition('.')[0]}" for action, _, version in pins()}
    assert set(declared.values()) <= {"node24", "composite"}
    assert len(declared) == len(pins())  # one commit an action, in all workflows


def pins() -> set[tuple[str, str, str]]:
    """Return action, commit and version of all that the workflows use."""
    texts = [workflow.read_text() for workflow in WORKFLOWS]
    return {found for text in texts for found in re.findall(r"uses: ([\w-]+/[\w-]+)\S*@(\w+) # (\S+)", text)}


def test_after_a_page_that_failed_its_own_step_alone_is_red():
    """What it put out is packed up, if there is any; where it was not begun, nothing is."""
    (pack,) = (step for step in steps(EXECUTE) if step.get("run") == "make export-cache")
    assert pack["env"]["IF_ANY"]
    for outcome, is_due in (("failure", True), ("success", True), ("cancelled", True), ("skipped", False)):
        said = {"steps": {"page": {"outcome": outcome}}}
        assert holds(pack["if"], said, {"always": lambda: True}) is is_due


def test_a_reviewer_gets_the_site_whatever_a_check_says_of_it():
    done = [step.get("run", step.get("with", {}).get("name")) for step in steps(PULL_REQUEST)]
    built = done.index("make preview")
    assert done[built + 1] == "site"
    assert {"make lint", "make lint-workflows", "make pytest"} <= set(done[built + 2 :])


@pytest.mark.parametrize(
    ("gpu_runner", "runners", "are_many"),
    [
        ("", "", True),
        ("a-gpu", "", False),
        ("a-gpu", "many", True),
        ("", "one", False),
        ("a-gpu", "one", False),
    ],
)
def test_without_a_gpu_many_runners_execute_unless_that_was_decided(gpu_runner, runners, are_many):
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text())["jobs"]
    variables = {"vars": {"GPU_RUNNER": gpu_runner, "RUNNERS": runners}}
    assert holds(jobs["plan"]["if"], variables, {"success": lambda: True}) is are_many


def test_python_s_packages_are_proposed_by_one_alone():
    """Dependabot cannot write these lock files: they have no header, and one is for all Pythons."""
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    assert [update["package-ecosystem"] for update in updates] == ["github-actions"]
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text())["jobs"]
    assert jobs["propose"]["needs"] == "build"
    assert jobs["propose"]["permissions"] == {"contents": "write", "pull-requests": "write"}


def test_a_pull_request_never_meets_the_gpu_runner_or_a_secret():
    text = PULL_REQUEST.read_text()
    content = yaml.safe_load(text)
    assert content["permissions"] == {"contents": "read"}
    assert {job["runs-on"] for job in content["jobs"].values()} == {"ubuntu-24.04"}
    assert "GPU_RUNNER" not in text
    assert "${{ secrets" not in text
    assert "pull_request_target" not in text


def test_the_readme_protects_a_runner_of_one_s_own_before_it_names_it():
    readme = (ROOT / "README.md").read_text()
    step = readme[readme.index("**Say where to compute.**") : readme.index("4. **Push**")]
    before = " ".join(step[: step.index("Variables → New repository")].split())
    files = [path.name for path in WORKFLOWS if "vars.GPU_RUNNER" in path.read_text()]
    for protection in ("runner group", *files, "Require approval for all", "ephemeral"):
        assert protection in before, protection


def test_only_the_jobs_that_deploy_may_write():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "publish.yml").read_text())["jobs"]
    for name in ("plan", "first", "second", "build"):
        assert jobs[name]["permissions"] == {"contents": "read"}
    assert jobs["deploy"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert jobs["branches"]["permissions"] == {"contents": "write"}
    assert jobs["deploy"]["needs"] == jobs["branches"]["needs"] == "build"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_steps_only_call_make_or_scripts_that_exist(workflow):
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    settings = set(re.findall(r"\$\(([A-Z]+)\)", makefile))
    for step in steps(workflow):
        for line in step.get("run", "").splitlines():
            command, *arguments = line.split()
            assert command in ("make", "gh") or (ROOT / command).exists(), line
            asked = {argument.split("=")[0] for argument in arguments}
            assert command != "make" or asked <= targets | settings, line


def test_a_branch_is_replaced_by_a_folder_and_left_alone_if_nothing_changed(tmp_path):
    git(tmp_path, "init", "-q", "--bare", "origin")
    git(tmp_path, "clone", "-q", "origin", "clone")
    clone, folder = tmp_path / "clone", tmp_path / "notebooks"
    (clone / "a.txt").write_text("main")
    git(clone, "add", "-A")
    git(clone, "commit", "-qm", "First")
    git(clone, "push", "-q", "origin", "HEAD:main")

    def push() -> str:
        subprocess.run([ROOT / ".github" / "push-branch", folder, "notebooks"], cwd=clone, check=True)
        return git(tmp_path / "origin", "rev-parse", "notebooks")

    (folder / "cnn").mkdir(parents=True)
    (folder / "cnn" / "one.ipynb").write_text("1")
    (folder / "cnn" / "two.ipynb").write_text("2")
    first = push()
    assert push() == first
    (folder / "cnn" / "two.ipynb").unlink()
    assert push() != first
    listed = git(tmp_path / "origin", "ls-tree", "-r", "--name-only", "notebooks")
    assert listed == "cnn/one.ipynb"
    assert git(tmp_path / "origin", "rev-list", "--count", "notebooks") == "1"
    assert git(clone, "status", "--short") == ""
    assert git(tmp_path / "origin", "ls-tree", "--name-only", "main") == "a.txt"


def test_repo2docker_reads_what_binder_gets(monkeypatch):
    """The folder becomes the root of a branch, and repo2docker must see a Python environment in it."""
    monkeypatch.chdir(ROOT / "binder")
    pack = PythonBuildPack("buildpack-deps:jammy")
    pack.platform = "linux/amd64"
    assert pack.detect()
    assert pack.python_version == "3.12"
    assert "postBuild" in pack.get_post_build_scripts()
    dockerfile = pack.render()
    assert "requirements.txt" in dockerfile
    assert "postBuild" in dockerfile
    assert re.search(r"apt-get install [^&]*libgl1\b", dockerfile)  # OpenCV loads libGL


def test_binder_has_what_dlbook_needs_but_torch_in_the_locked_versions():
    versions = dict(
        re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "binder" / "requirements.txt").read_text(), re.M)
    )
    project = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    assert project is not None
    needed = {Requirement(text).name for text in re.findall(r'"(.+?)"', project[1])}
    assert needed - set(versions) == {"torch", "torchvision"}
    locked = (ROOT / "requirements.txt").read_text()
    for name in needed & set(versions):
        assert f"{name}=={versions[name]}" in locked
    assert "torch torchvision" in (ROOT / "binder" / "postBuild").read_text()
