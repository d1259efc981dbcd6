"""Each workflow's steps in order, in fresh clones: what would be deployed, pushed, kept and reported."""

import re
import shutil
import tarfile
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from small_book import CELL, FRONT_MATTER
from small_github import GitHub, Run
from small_runner import git

CODE = """from dlbook import pages, results
from dlbook.data import Source
pages.save("note", "{note}")
assert "{note}" != "failing"
source = Source("mnist", "Some.", is_standin=False, sha256="ab", license="MIT")
results.report(source, accuracy=0.9)
print("{note}")
"""
DATA = {
    f"actions/cache/{done} ~/.cache/{folder}"
    for done in ("restore", "save")
    for folder in ("dlbook", "torch/hub/checkpoints")
}
LOADING = """print("behind:", pages.load("cnn/one", "note"))
"""
# How the jobs end where one runner publishes, and where many do, in two waves.
ON_MANY = dict.fromkeys(("plan", "first", "second", "build", "deploy", "branches"), "success")
ON_ONE = ON_MANY | dict.fromkeys(("plan", "first", "second"), "skipped")
PROMISES = "promises:\n  accuracy: {{at_least: {floor}, form: .0%}}\n---\n"
TOC = "format: jb-book\nroot: index\nchapters:\n- file: cnn/one\n- file: cnn/two\n"
TEST = """\"\"\"A small test.\"\"\"

from pathlib import Path


def test_the_site_is_sound():
    assert "faulty" not in Path("_build/html/cnn/two.html").read_text()
"""


class Maintainer:
    """Somebody with a clone, who pushes: this repository, with two short chapters in place of its own."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "executed.log"
        caches = {"MYPY_CACHE_DIR": str(ROOT / ".mypy_cache"), "RUFF_CACHE_DIR": str(ROOT / ".ruff_cache")}
        runner = {"DLBOOK_DATA": str(folder / "data"), "DLBOOK_DEVICE": "cpu"}
        self.github = GitHub(folder, runner | {"DLBOOK_EXECUTED_LOG": str(self.log)} | caches)
        self.clone = folder / "clone"
        git(folder, "clone", "-q", str(self.github.origin), "clone")
        for name in git(ROOT, "ls-files").splitlines():
            if not name.startswith(("tests/", "book/cnn/", "book/about/")) and (ROOT / name).exists():
                target = self.clone / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        (self.clone / "_toc.yml").write_text(TOC)
        (self.clone / "book" / "index.md").write_text("# Index\n")
        (self.clone / "book" / "cnn").mkdir()
        (self.clone / "tests").mkdir()
        (self.clone / "tests" / "test_small.py").write_text(TEST)

    def push(self, **notes: str) -> str:
        """Push chapters that print and save a note each.

        The note ``failing`` ends its cell, ``broken`` breaks its promise, ``behind`` loads the note of one.
        """
        for name, note in notes.items():
            promises = PROMISES.format(floor=0.95 if note == "broken" else 0.8)
            code = CODE.format(note=note) + LOADING * (note == "behind")
            cell = CELL % (code, name + chr(10))
            page = f"{FRONT_MATTER.removesuffix('---' + chr(10))}{promises}\n# Chapter {name}\n{cell}"
            page += "\n:::{promises}\n:::\n"
            (self.clone / "book" / "cnn" / f"{name}.md").write_text(page)
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-qm", "Change")
        git(self.clone, "push", "-q", "origin", "HEAD:main")
        return git(self.clone, "rev-parse", "HEAD")

    def run(self, workflow: str, **how: str) -> tuple[Run, list[str]]:
        """Let GitHub run a workflow; return what it did, and the chapters that executed."""
        self.log.write_text("")
        run = self.github.run(workflow, **how)
        return run, sorted(self.log.read_text().split())

    def listed(self, branch: str) -> list[str]:
        return git(self.github.origin, "ls-tree", "-r", "--name-only", branch).splitlines()

    def branches(self) -> dict[str, str]:
        lines = git(self.github.origin, "for-each-ref", "--format=%(refname:short) %(objectname)")
        return dict(line.split() for line in lines.splitlines())

    def deployed(self, name: str) -> str:
        return (self.github.artifacts["github-pages"] / name).read_text()


@pytest.fixture
def maintainer(tmp_path) -> Maintainer:
    return Maintainer(tmp_path)


def test_publishing_deploys_what_is_sound_and_keeps_what_was_executed(maintainer):
    first = maintainer.push(one="first", two="first")
    run, executed = maintainer.run("publish", runners="one")
    assert run.outcomes == ON_ONE, run.said
    assert executed == ["one", "two"]
    assert run.left_out == {"actions/setup-python", "actions/deploy-pages", "make fetch-data"} | DATA
    site = maintainer.github.artifacts["github-pages"]
    for name in ("index.html", "cnn/one.html", "results.json", "execution-cache.tar.gz", "_static"):
        assert (site / name).exists(), name
    assert f'<meta name="dlbook-commit" content="{first}"' in maintainer.deployed("cnn/one.html")
    assert maintainer.listed("notebooks") == ["cnn/one.ipynb", "cnn/two.ipynb"]
    assert maintainer.listed("binder") == sorted(path.name for path in (ROOT / "binder").iterdir())
    assert maintainer.branches()["main"] == first
    for name in maintainer.listed("notebooks"):
        page = BeautifulSoup(maintainer.deployed(name.replace(".ipynb", ".html")), "html.parser")
        addresses = [str(link["href"]) for link in page.select("a[href]")]
        assert f"https://github.com/someone/book/raw/notebooks/{name}" in addresses
        assert f"@{first}" in git(maintainer.github.origin, "show", f"notebooks:{name}")

    # A promise breaks: nobody sees it, and what was executed is kept.
    before = maintainer.branches()
    maintainer.push(one="second", two="broken")
    run, executed = maintainer.run("publish", runners="one")
    assert executed == ["one", "two"]
    assert run.outcomes == ON_ONE | {"build": "failure", "deploy": "skipped", "branches": "skipped"}
    assert run.failed == ["Execute what changed, and build"]
    assert run.done[-1] == "Keep the executed chapters, also when one failed"
    assert "first" in maintainer.deployed("cnn/one.html")
    assert {**maintainer.branches(), "main": ""} == {**before, "main": ""}

    # Mended: the other chapter is not executed again, and Binder's image stays.
    maintainer.push(two="third")
    run, executed = maintainer.run("publish", runners="one")
    assert run.outcomes == ON_ONE, run.said
    assert executed == ["two"]
    assert "second" in maintainer.deployed("cnn/one.html")
    assert maintainer.branches()["binder"] == before["binder"]
    assert maintainer.branches()["notebooks"] != before["notebooks"]
    # Published are the outputs that the pages ask for, of five that were executed.
    with tarfile.open(maintainer.github.artifacts["github-pages"] / "execution-cache.tar.gz") as packed:
        assert len([name for name in packed.getnames() if name.endswith("base.ipynb")]) == 2

    # Started by hand for another branch, it builds and shows nothing.
    before = maintainer.branches()
    maintainer.push(two="fourth")
    run, executed = maintainer.run("publish", runners="one", branch="side")
    assert run.outcomes == ON_ONE | {"deploy": "skipped", "branches": "skipped"}, run.said
    assert {**maintainer.branches(), "main": ""} == {**before, "main": ""}


def test_many_runners_execute_a_page_each_and_one_publishes_what_they_put_out(maintainer):
    # The chapter that will fail goes first, and stops no other.
    toc = TOC.replace("cnn/two", "cnn/three").replace("- file: cnn/one", "- file: cnn/two\n- file: cnn/one")
    (maintainer.clone / "_toc.yml").write_text(toc)

    # A page fails. Nobody sees anything of this, and what the others put out is kept for all.
    maintainer.push(one="first", two="failing", three="behind")
    run, executed = maintainer.run("publish")
    assert run.pages == {
        "first / cnn/one": "success",
        "first / cnn/two": "failure",
        "second / cnn/three": "success",
    }, run.said
    failed = dict.fromkeys(("first", "build"), "failure") | dict.fromkeys(("deploy", "branches"), "skipped")
    assert run.outcomes == ON_MANY | failed
    assert executed == ["one", "three"]
    assert "the run of cnn/two failed: its runner left no outputs of the original data" in run.said
    assert run.failed == ["Execute the page", "Execute what changed, and build"]
    caches = maintainer.github.caches
    maintainer.github.caches = {key: caches[key] for key in caches if key.startswith("executed-")}

    # Mended, it alone is executed. The run ends too early, which costs nothing but the end.
    maintainer.push(two="second")
    run, executed = maintainer.run("publish", cut_off="build")
    assert run.pages == {"first / cnn/two": "success"}, run.said
    assert executed == ["two"]
    assert "github-pages" not in maintainer.github.artifacts
    run, executed = maintainer.run("publish")
    assert run.outcomes == ON_MANY | {"second": "skipped"}, run.said
    assert executed == []
    assert run.left_out == {"actions/setup-python", "actions/deploy-pages", "make fetch-data"} | DATA
    for name, said in (("one", "first"), ("two", "second"), ("three", "behind: first")):
        assert said in maintainer.deployed(f"cnn/{name}.html")
    assert "another machine" not in maintainer.deployed("cnn/one.html")
    assert "cnn/three.ipynb" in maintainer.listed("notebooks")


def test_a_gpu_that_is_not_there_stops_publishing_before_anything_is_computed(maintainer):
    maintainer.push(one="first", two="first")
    run, executed = maintainer.run("publish", gpu_runner="our-gpu")
    assert run.failed == ["Check that the expected device is there"]
    assert executed == []
    assert "cuda was expected" in run.said
    assert list(maintainer.branches()) == ["main"]


def test_a_pull_request_is_checked_and_changes_nothing(maintainer):
    maintainer.push(one="first", two="first")
    maintainer.push(two="second")
    before = maintainer.branches()
    run, executed = maintainer.run("pull-request")
    assert run.outcomes == {"check": "success"}, run.said
    assert "no published outputs" in run.said
    assert executed == ["one", "two"]
    summary = (maintainer.github.folder / "summary.md").read_text()
    assert "changes\n\n- book/cnn/two.md\n\n" in summary
    assert "anew\n\n- cnn/one\n- cnn/two\n" in summary
    assert "gh run download 1 --repo someone/book --name site --dir site-1 &&" in summary
    assert "python3 -m http.server --bind 127.0.0.1 --directory site-1" in summary
    assert "first" in (maintainer.github.artifacts["site"] / "cnn" / "one.html").read_text()
    assert "github-pages" not in maintainer.github.artifacts
    assert maintainer.branches() == before

    # Where a test fails, a reviewer can look at the page all the same.
    maintainer.push(two="faulty")
    run, _ = maintainer.run("pull-request")
    assert run.failed == ["Test"], run.said
    assert "faulty" in (maintainer.github.artifacts["site"] / "cnn" / "two.html").read_text()


def test_the_weekly_build_reports_when_it_fails_and_only_then(maintainer):
    said = maintainer.github.folder / "gh.log"
    maintainer.push(one="first", two="first")
    before = maintainer.branches()
    run, executed = maintainer.run("weekly")
    passed = {"build": "success", "propose": "success", "stay-scheduled": "success", "report": "skipped"}
    assert run.outcomes == passed, run.said
    assert run.left_out == {
        "actions/setup-python",
        "make upgrade",
        "make rehearse-notebooks UNTIDY=1",
        "make rehearse-notebooks UNTIDY=1 OLDEST=1 NOTEBOOKS=cnn/mnist-mlp",
    }
    assert executed == ["one", "two"]
    assert said.read_text() == "gh workflow enable weekly.yml\n"  # no version is newer: nothing is proposed
    assert maintainer.branches() == before
    maintainer.push(two="broken")
    run, _ = maintainer.run("weekly")
    assert run.outcomes == passed | {"build": "failure", "propose": "skipped", "report": "success"}, run.said
    assert "issue create --title The weekly build fails" in said.read_text()
    assert "https://github.com/someone/book/actions/runs/2" in said.read_text()
    run, _ = maintainer.run("weekly", cut_off="build")
    assert run.outcomes["report"] == "success", run.said
    assert "actions/runs/3 It was canceled: by hand, or because it ran out of time." in said.read_text()


def test_the_weekly_build_proposes_the_versions_that_it_passed_with(maintainer):
    maintainer.push(one="first", two="first")
    name, version = re.search(r"^(certifi)==(\S+)", (ROOT / "requirements.txt").read_text(), re.M).groups()
    maintainer.github.newest = {f"{name}=={version}": f"{name}==9999.1"}
    run, _ = maintainer.run("weekly")
    assert run.outcomes["propose"] == "success", run.said
    origin = maintainer.github.origin
    assert git(origin, "diff", "--name-only", "main", "newest-versions") == "requirements.txt"
    assert f"{name}==9999.1" in git(origin, "show", "newest-versions:requirements.txt")
    assert git(origin, "rev-parse", "newest-versions^") == maintainer.branches()["main"]
    said = (maintainer.github.folder / "gh.log").read_text()
    assert "gh pr create --head newest-versions --title Take the newest versions" in said
    assert "https://github.com/someone/book/actions/runs/1" in said

    # As where the repository's settings do not let a workflow open pull requests.
    stub = maintainer.github.folder / "stubs" / "gh"
    stub.write_text(stub.read_text() + 'case "$*" in "pr create"*) exit 1;; esac\n')
    run, _ = maintainer.run("weekly")
    assert (run.outcomes["propose"], run.outcomes["report"]) == ("failure", "success"), run.said
    said = (maintainer.github.folder / "gh.log").read_text()
    assert "The book passed, and only the pull request with the new versions could not be opened" in said
