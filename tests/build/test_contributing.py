"""What a contributor's tools read: that it is well formed, and does what CONTRIBUTING.md says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from stand_in import script

pytestmark = pytest.mark.quick

TOOLS = Path(sys.executable).parent


@pytest.fixture
def programs(tmp_path) -> Path:
    """A folder of programs that do nothing but say when they begin and when they end."""
    for name in ("ruff", "mypy", "lint-imports", "jupyter-book", "pytest"):
        log = tmp_path / "log"
        script(tmp_path / name, f"echo {name} $1 >> {log}\nsleep 0.1\necho . >> {log}")
    (tmp_path / ".ready").touch()
    return tmp_path


def make(programs: Path, *arguments: str) -> list[str]:
    """Run make on these programs; return the lines that they wrote."""
    outside = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    settings = [f"BIN={programs}", f"READY={programs / '.ready'}"]
    subprocess.run(["make", *arguments, *settings], cwd=ROOT, env=outside, check=True, capture_output=True)
    return (programs / "log").read_text().splitlines()


def test_make_with_four_jobs_tests_what_it_has_built_before(programs):
    done = make(programs, "-j4", "test")
    assert set(done[1::2]) == {"."}
    assert ", ".join(done[::2]) == (
        "ruff check, ruff format, mypy, lint-imports, jupyter-book build, pytest --cov"
    )


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder whose name a shell and make could take for more than a name, with what `make env` reads."""
    folder = tmp_path / "per%20cent, dol$HOME & it's"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", *(path.name for path in ROOT.glob("requirements*.txt"))):
        shutil.copy(ROOT / name, folder)
    return folder


MADE_ANEW = "interpreter -m venv --clear .venv"
NOTHING = "make: Nothing to be done for 'env'."


def told_by_make(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    own = ("MAKE", "PIP", "LC_", "LANG", "DLBOOK")
    settings = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=settings | variables, capture_output=True, text=True
    )


def made(checkout: Path, *arguments: str, **variables: str) -> list[str]:
    """Return the lines that make and its programs say; these say how they were called."""
    told = told_by_make(checkout, *arguments, **variables)
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


def environment(
    checkout: Path, python: str = 'echo "python $*, user $PIP_USER, target $PIP_TARGET"'
) -> list[str]:
    """Make an environment of programs that do nothing; return what was said."""
    script(checkout / ".venv" / "bin" / "python", python)
    script(checkout / ".venv" / "bin" / "uv", ":")
    return made(checkout, "env", "PYTHON=echo interpreter", PIP_USER="1", PIP_TARGET="/elsewhere")


def test_an_environment_is_made_once_in_a_folder(checkout):
    assert MADE_ANEW not in environment(checkout)
    assert NOTHING in made(checkout, "env", "PYTHON=echo interpreter")


def test_a_copied_or_moved_checkout_gets_an_environment_of_its_own(checkout, tmp_path):
    """It would import the other checkout's package, and show its numbers."""
    environment(checkout)
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, symlinks=True)
    assert MADE_ANEW in made(copy, "env", "PYTHON=echo interpreter")
    assert NOTHING in made(copy, "env", "PYTHON=echo interpreter")
    checkout.rename(tmp_path / "moved")
    assert MADE_ANEW in made(tmp_path / "moved", "env", "PYTHON=echo interpreter")


def test_an_environment_whose_mark_names_no_folder_is_made_anew(checkout):
    environment(checkout)
    (checkout / ".venv" / ".ready").write_text("")
    assert MADE_ANEW in made(checkout, "env", "PYTHON=echo interpreter")


def test_an_environment_without_its_interpreter_is_made_anew(checkout):
    environment(checkout)
    script(checkout / ".venv" / "bin" / "python", '[ "$1" = -m ]')
    assert MADE_ANEW in made(checkout, "env", "PYTHON=echo interpreter")


def test_nothing_is_installed_into_an_environment_that_is_lent(checkout, tmp_path):
    """Its owner would import the borrower's package. It is older than the files of a new checkout."""
    environment(checkout)
    borrower = tmp_path / "borrower"
    shutil.copytree(checkout, borrower, ignore=shutil.ignore_patterns(".venv"))
    (borrower / ".venv").symlink_to(checkout / ".venv")
    (borrower / "pyproject.toml").touch()
    assert NOTHING in made(borrower, "env", "PYTHON=echo interpreter")
    (checkout / ".venv" / ".ready").unlink()
    told = told_by_make(borrower, "env")
    assert told.returncode
    assert "is not ready: run `make env` where it belongs" in told.stderr


def test_pip_installs_into_the_environment_whatever_a_user_has_set(checkout):
    said = environment(checkout)
    fetched, installed = [line for line in said if line.startswith("python -m pip")]
    assert " download " in fetched
    assert installed.endswith("requirements-uv.txt, user 0, target ")
    # The rest is uv's, which is told what pip was told of the package index.
    assert len([line for line in said if line.startswith("python -m bookbuild.uv pip install")]) == 3


def test_a_folder_s_name_is_only_a_name(checkout):
    environment(checkout)
    say = 'echo "${0##*/} $PYTHONPATH $*"'
    for program in ("python", "jupyter-book"):
        script(checkout / ".venv" / "bin" / program, say)
    assert f"--toc {checkout}/_toc.yml" in "\n".join(made(checkout, "book"))
    own = f"{checkout}/book/_ext:{checkout}/src"
    assert f"python {own} -m bookbuild execute" in "\n".join(made(checkout, "execute"))


def test_an_epub_of_some_pages_is_refused_before_anything_is_lost(checkout):
    environment(checkout)
    for program in ("python", "jupyter-book"):
        script(checkout / ".venv" / "bin" / program, 'echo "${0##*/} $*, epub $DLBOOK_EPUB"')
    earlier = checkout / "_build" / "epub"
    earlier.mkdir(parents=True)
    told = told_by_make(checkout, "book", "CHAPTERS=cnn/mnist-mlp", "EPUB=1")
    assert told.returncode != 0
    assert "an EPUB is of all pages: leave CHAPTERS out" in told.stderr
    assert "jupyter-book" not in told.stdout
    assert earlier.exists()
    # Either alone is what it was.
    (site,) = made(checkout, "-s", "book", "CHAPTERS=cnn/mnist-mlp")
    assert site.endswith("--keep-going, epub ")
    epub, site = made(checkout, "-s", "book", "EPUB=1")
    assert "--custom-builder epub" in epub
    assert site.endswith("--keep-going, epub 1")


def test_data_are_fetched_by_name_or_all(checkout):
    environment(checkout)
    script(checkout / ".venv" / "bin" / "python", 'echo "$*"')
    assert made(checkout, "-s", "fetch-data") == ["-m dlbook.data fetch --all"]
    assert made(checkout, "-s", "fetch-data", NAMES="mnist+vgg16") == ["-m dlbook.data fetch mnist vgg16"]


def test_the_fast_tests_need_no_build(programs):
    assert make(programs, "test-fast") == ["pytest -m", "."]


def test_scripts_have_unix_line_ends_whatever_a_user_s_git_makes_of_others():
    """With Windows' own, a shell takes the last word of each line for another one."""
    ask = ["git", "check-attr", "eol", "--", ".ci/run", ".github/push-branch", "Makefile"]
    told = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.rpartition(" ")[2] for line in told.splitlines()] == ["lf", "lf", "lf"]


def test_whoever_looks_at_the_site_is_marked(request):
    """Otherwise `make test-fast` fails where nothing is built."""
    unmarked = [
        item.nodeid
        for item in request.session.items
        if "html" in item.fixturenames and not item.get_closest_marker("site")
    ]
    assert unmarked == []


def test_the_tests_leave_a_contributor_s_own_repository_alone(tmp_path):
    """As where git runs them, in a hook; those that are run here make repositories, remotes and commits."""
    own, settings = tmp_path / "own", tmp_path / "settings"
    settings.write_text("[core]\n\thooksPath = /nowhere\n[commit]\n\tgpgSign = true\n")
    subprocess.run(["git", "init", "-q", own], check=True)
    before = (own / ".git" / "config").read_text()
    hook = {"GIT_DIR": str(own / ".git"), "GIT_WORK_TREE": str(own), "GIT_CONFIG_GLOBAL": str(settings)}
    files = ("tests/build/test_exchange.py", "tests/build/test_workflows.py")
    these = ["-n0", "-p", "no:cacheprovider", "-k", "repository_is_found or branch_is_replaced", *files]
    told = subprocess.run([sys.executable, "-m", "pytest", *these], cwd=ROOT, env=os.environ | hook)
    assert told.returncode == 0
    assert (own / ".git" / "config").read_text() == before


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("vendor.citation-file-format", "CITATION.cff"),
    ],
)
def test_what_github_shows_follows_its_schema(schema, files):
    check = [TOOLS / "check-jsonschema", "--default-filetype", "yaml", "--builtin-schema", schema]
    subprocess.run([*check, *ROOT.glob(files)], check=True)


FILES = {
    "good": "a\n\n=======\n",
    "spaces": "a \n",
    "open": "a",
    "blank": "a\n\n",
    "conflict": "<<<<<<< ours\n",
}


@pytest.mark.parametrize(
    ("hook", "bad"),
    [("spaces", {"spaces"}), ("last-line", {"open", "blank"}), ("conflicts", {"conflict"})],
)
def test_the_hooks_name_the_files_that_they_are_for(tmp_path, hook, bad):
    for name, text in FILES.items():
        (tmp_path / f"{name}.txt").write_text(text)
    subprocess.run("git init -q && git add *.txt", shell=True, cwd=tmp_path, check=True)
    run = [TOOLS / "pre-commit", "run", "--all-files", "--config", ROOT / ".pre-commit-config.yaml", hook]
    home = os.environ | {"PRE_COMMIT_HOME": str(tmp_path / "home")}
    told = subprocess.run(run, cwd=tmp_path, env=home, capture_output=True, text=True)
    assert told.returncode == 1
    assert {name for name in FILES if f"{name}.txt" in told.stdout} == bad
