"""What code depends on is read off it: its imports, its data, other pages' files; else it is refused."""

import pytest
from bookbuild.book import Book as WholeBook
from bookbuild.book import BookError, Page
from bookbuild.run.dependencies import (
    DependencyError,
    code_checksum,
    imported_names,
    loaded_data_sets,
    page_files,
    reachable,
    require_readable,
    syntax_trees,
)
from bookbuild.run.keys import Keys
from conftest import ROOT
from rendered_book import RenderedBook
from small_book import FRONT_MATTER

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("code", "package", "expected"),
    [
        ("import a.b as c", "", {"a.b"}),
        ("from a import b, c", "", {"a", "a.b", "a.c"}),
        ("def f():\n    from a import b", "", {"a", "a.b"}),
        ("import importlib\nimportlib.import_module('a.b')", "", {"importlib", "a.b"}),
        ("__import__('a.b')", "", {"a.b"}),
        ("from . import x", "p.q", {"p.q", "p.q.x"}),
        ("from ..m import x", "p.q", {"p.m", "p.m.x"}),
    ],
)
def test_imports_are_found(code, package, expected):
    (tree,) = syntax_trees([code])
    assert set(imported_names(tree, package)) == expected


def test_cell_options_magics_and_what_does_not_parse_are_no_code():
    text = (
        FRONT_MATTER
        + "\n```{code-cell} ipython3\n---\ntags: [a]\n---\n%matplotlib inline\n!ls\nimport a\n```\n"
        "```{code-cell}\n:tags: [b]\n\nimport b\n```\n"
        "```{code-cell}\nthis does not parse\n```\n"
        "```python\nimport c\n```\n"
    )
    trees = syntax_trees(Page("one", ROOT / "one.md", text).code)
    assert {name for tree in trees for name in imported_names(tree)} == {"a", "b"}


@pytest.mark.parametrize(
    "code",
    [
        "%time import a",
        "%%time\nimport a",
        "%timeit -n1 -r 2 import a",
        "%%timeit -n 3 import b\nimport a",
        "%%capture said --no-stderr\nimport a",
        "%%time\n%timeit -o import a",
        "files = %who\nimport a",
        "files = !ls\nimport a",
        "x?\nimport a",
    ],
)
def test_what_ipython_s_commands_are_given_is_code(code):
    trees = syntax_trees([code])
    assert "a" in {name for tree in trees for name in imported_names(tree)}
    if "!" not in code:
        require_readable(trees)


def test_a_command_that_cannot_be_read_is_named_as_the_cell_has_it():
    with pytest.raises(DependencyError, match="on what %%script bash --bg does: say it in Python"):
        require_readable(syntax_trees(["%%script bash --bg\npython other.py"]))


def test_data_that_a_timed_cell_loads_are_in_the_key():
    assert loaded_data_sets(syntax_trees(["%timeit -n1 data.load('mnist')"])) == {"mnist"}


@pytest.mark.parametrize(
    "code",
    [
        "import_module(name)",
        "__import__('dl' + 'book')",
        "!python -m dlbook.data",
        "x = !ls",
        "%run other.py",
        "%time %run other.py",
        "%%bash\npython other.py",
        "%%time\n%%script bash\npython other.py",
        "%pip install other",
        "%load_ext other",
        "%%writefile other.py\nimport a",
        "%timeit -x-y import a",
        "get_ipython().run_line_magic(name, 'other.py')",
        "get_ipython().magic('run other.py')",
        "import_module('.other', 'dlbook')",
        "from importlib import import_module as bring\nbring('dlbook.data')",
        "import importlib\nbring = importlib.import_module\nbring('dlbook.data')",
        "exec('import dlbook.data')",
        "eval(text)",
        "import os\nos.popen('ls')",
        "import subprocess\nsubprocess.run(['ls'])",
        "from subprocess import run\nrun(['ls'])",
        "loader.load_module('other')",
    ],
)
def test_a_page_that_runs_what_it_does_not_name_stops_before_anything_runs(tmp_path, code):
    book = RenderedBook(tmp_path)
    book.write_chapter("one", f"Prose.\n\n```{{code-cell}}\n{code}\n```")
    with pytest.raises(BookError, match="one: "):
        Keys(book.book).order()


def test_the_package_runs_nothing_that_is_not_read_off_but_where_its_parts_are_listed_and_git_is_asked():
    sources = (ROOT / "src" / "dlbook").rglob("*.py")
    found = []
    for path in sources:
        try:
            require_readable(syntax_trees([path.read_text()]))
        except DependencyError:
            found.append(path.relative_to(ROOT / "src" / "dlbook").as_posix())
    assert sorted(found) == ["data/__init__.py", "runtime.py"]


def test_which_files_of_other_pages_are_read_off_the_code():
    trees = syntax_trees(["pages.save('a', 1)\nx = pages.load('cnn/b', 'c')\nother.load('d', 'e')"])
    assert page_files(trees, "load") == [("cnn/b", "c")]
    assert page_files(trees, "save") == [("a",)]
    with pytest.raises(DependencyError, match="page, 'c'"):
        page_files(syntax_trees(["pages.load(page, 'c')"]), "load")


def test_every_module_of_the_package_is_reached_from_the_pages():
    """A module that no page reaches is either dead or missed."""
    notebooks = WholeBook.at(ROOT).notebooks.values()
    trees = [tree for page in notebooks for tree in syntax_trees(page.code)]
    modules, outside = reachable(trees, ROOT / "src" / "dlbook")
    # The command line, and the recipe of the shipped weights; no page runs them.
    apart = {"__main__.py", "train_vgg_cifar10.py"}
    sources = {path for path in (ROOT / "src" / "dlbook").rglob("*.py") if path.name not in apart}
    assert set(modules.values()) == sources
    assert {"torch", "torchvision", "matplotlib", "numpy", "sklearn"} <= outside
    loaded = loaded_data_sets(trees)
    assert {"mnist", "fashion_mnist", "cifar10", "flower_photos", "vgg16"} <= loaded


def test_what_a_module_does_is_all_that_counts(tmp_path):
    def checksum(name, code):
        (tmp_path / name).write_text(code)
        return code_checksum(tmp_path / name)

    plain = checksum("a.py", "def f(x):\n    return x + 1\n")
    assert plain == checksum("b.py", 'def f(x):\n    """Say."""\n    # more\n    return (x +\n        1)\n')
    assert plain != checksum("c.py", "def f(x):\n    return x + 2\n")
    assert checksum("d.py", 'def f():\n    """Only this."""\n') == checksum("e.py", "def f():\n    pass\n")
