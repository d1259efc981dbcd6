"""The execution cache: what executes again, and what does not, counted in books that are really built."""

import shutil
from importlib import metadata

import pytest
from bookbuild.book import Book as WholeBook
from bookbuild.book import Page
from bookbuild.run import isolation
from bookbuild.run.keys import Keys, changes, files_beside, with_fingerprint
from conftest import ROOT
from rendered_book import RenderedBook
from small_book import FRONT_MATTER, Book


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Book:
    """A book that was built once, without the real data."""
    book = Book(tmp_path_factory.mktemp("book"))
    assert book.build() == ["data", "plain"]
    return book


def test_nothing_changed_nothing_executes(built):
    assert built.build() == []
    shutil.rmtree(built.folder / "_build" / ".doctrees")
    assert built.build() == []


def test_the_command_line_executes_what_a_build_then_finds(tmp_path):
    book = Book(tmp_path)
    assert book.execute() == ["data", "plain"]
    assert not (book.folder / "_build" / "html").exists()
    assert book.build() == []


def test_a_page_that_loads_another_s_file_runs_behind_it_and_with_it(tmp_path):
    """It is executed again when the other one changes, and its outputs return when that is undone."""
    book = Book(tmp_path)
    save = "from dlbook import pages\npages.save('table', %s)"
    book.write("plain", save % "[1]")
    book.write("data", "from dlbook import pages\nprint(pages.load('cnn/plain', 'table'))")
    assert book.build() == ["data", "plain"]
    assert book.log.read_text().split() == ["plain", "data"]
    assert "[1]" in book.page("data")
    book.write("plain", save % "[2]")
    assert book.build() == ["data", "plain"]
    assert "[2]" in book.page("data")
    book.write("plain", save % "[1]")
    assert book.build() == []
    assert "[1]" in book.page("data")


@pytest.mark.parametrize(
    ("plain", "data", "named"),
    [
        ("pages.save('a', 1)", "pages.load('cnn/plain', 'b')", "'b'"),
        ("print(1)", "pages.load('cnn/absent', 'b')", "cnn/absent"),
        ("pages.save('a', 1)", "x = 'a'\npages.load('cnn/plain', x)", "pages.load"),
        (
            "pages.save('a', pages.load('cnn/data', 'a'))",
            "pages.save('a', pages.load('cnn/plain', 'a'))",
            "circle",
        ),
    ],
)
def test_files_that_cannot_be_had_stop_before_anything_runs(tmp_path, plain, data, named):
    book = Book(tmp_path)
    book.write("plain", f"from dlbook import pages\n{plain}")
    book.write("data", f"from dlbook import pages\n{data}")
    assert book.fail() == []
    assert named in book.errors


def test_what_is_installed_in_place_of_the_locked_version_is_another_key(built, monkeypatch):
    """Of one version there are several builds, for processors and for GPUs."""

    def version() -> str:
        return Keys(WholeBook.at(built.folder)).fingerprint("cnn/plain")["packages"]["torch"]

    locked = version()
    monkeypatch.setattr(metadata, "version", lambda name: f"{locked.split(' or ')[0].partition('+')[0]}+cu1")
    assert version() == locked
    monkeypatch.setattr(metadata, "version", lambda name: "99.0")
    assert version() == f"99.0 in place of {locked}"


def test_prose_alone_is_rendered_and_not_executed(built):
    built.write("plain", "import torch\nfrom dlbook import initial\nprint('plain')", prose="Other prose.")
    assert built.build() == []
    assert "Other prose." in built.page("plain")


def test_a_changed_module_executes_who_reaches_it_and_the_undone_change_nobody(built):
    module = built.folder / "src" / "dlbook" / "scale.py"
    before = module.read_text()
    module.write_text(before.replace("UNIT = 1", "UNIT = 2"))
    assert built.build() == ["plain"]
    assert "cnn/plain was computed with other code or data: dlbook.scale" in built.said
    module.write_text(before)
    assert built.build() == []
    standins = built.folder / "src" / "dlbook" / "data" / "standins.py"
    before = standins.read_text()
    standins.write_text(
        before.replace("size=(20, 20)", "size=(18, 18)").replace("(4, 4, 4, 4)", "(5, 5, 5, 5)")
    )
    assert built.build() == ["data"]
    standins.write_text(before)
    assert built.build() == []


def test_comments_docstrings_and_layout_execute_nothing(built):
    module = built.folder / "src" / "dlbook" / "scale.py"
    before = module.read_text()
    module.write_text('"""Another docstring."""\n# and a comment\n\n\nUNIT   =   (1)\n')
    assert built.build() == []
    module.write_text(before)


def test_a_new_version_of_a_computing_package_executes_who_imports_it(built):
    lock = built.folder / "requirements-torch.txt"
    before = lock.read_text()
    lock.write_text(before.replace("torch==", "torch==99."))
    assert built.build() == ["data", "plain"]
    lock.write_text(before)
    assert built.build() == []
    lock = built.folder / "requirements.txt"
    before = lock.read_text()
    lock.write_text(before.replace("scikit-learn==", "scikit-learn==99."))
    assert built.build() == ["data"]
    lock.write_text(before)
    assert built.build() == []


def test_another_device_executes_and_the_first_one_s_outputs_return(tmp_path):
    """The key says that there is a GPU; no page here computes on it."""
    book = Book(tmp_path)
    assert book.build(DLBOOK_DEVICE="cpu") == ["data", "plain"]
    assert book.build(DLBOOK_DEVICE="cuda", CUDA_VISIBLE_DEVICES="") == ["data", "plain"]
    assert "device cpu → cuda" in book.said
    assert book.build(DLBOOK_DEVICE="cpu") == []


def test_other_data_execute_who_loads_them(built, tmp_path):
    """Presence is what the fingerprint sees; the kernel then finds that these are damaged, and says so."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images", "t10k-images"):
        (raw / f"{name}-idx3-ubyte").touch()
    for name in ("train-labels", "t10k-labels"):
        (raw / f"{name}-idx1-ubyte").touch()
    assert built.fail(DLBOOK_DATA=str(tmp_path)) == []
    assert "is damaged" in built.errors
    assert "executing cnn/data, 1 at a time" in built.said
    assert built.build() == []


# --- the parts, without a build --------------------------------------------------------------------


def fingerprint(**parts) -> dict:
    empty = {part: {} for part in ("data", "packages", "modules", "pages", "settings")}
    return {"device": "cpu"} | empty | parts


def test_the_reasons_of_a_change_are_named():
    before = fingerprint(modules={"a": "1", "b": "1"}, packages={"torch": "1"})
    after = fingerprint(modules={"a": "2", "c": "1"}, packages={"torch": "2"})
    assert changes(before, after) == ["torch", "a", "b", "c"]


def test_the_fingerprint_moves_no_line():
    text = FRONT_MATTER + "\n# Title\n"
    marked = with_fingerprint(Page("one", ROOT / "one.md", text), fingerprint())
    assert marked.splitlines()[-3:] == text.splitlines()[-3:]
    assert marked.count("\n") == text.count("\n")


def test_settings_of_ipython_for_all_users_are_in_the_key(tmp_path, monkeypatch):
    """Kernels run these start-up files, whatever folder of settings they are given."""
    book = RenderedBook(tmp_path / "book")
    book.write_chapter("one", "Prose.")
    keys = [Keys(book.book).key("one")]
    monkeypatch.setattr("IPython.core.application.SYSTEM_CONFIG_DIRS", [str(tmp_path / "etc")])
    startup = tmp_path / "etc" / "startup" / "first.py"
    startup.parent.mkdir(parents=True)
    for text in ("x = 1", "x = 2"):
        startup.write_text(text)
        keys.append(Keys(book.book).key("one"))
    startup.unlink()
    assert len(set(keys)) == 3
    assert Keys(book.book).key("one") == keys[0]


def test_an_imitated_processor_s_outputs_are_kept_apart(tmp_path, monkeypatch):
    """A kernel gets the variable, so the numbers may be others."""
    book = RenderedBook(tmp_path / "book")
    book.write_chapter("one", "Prose.")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    usual = Keys(book.book).key("one")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert isolation.variables(tmp_path)["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert Keys(book.book).key("one") != usual
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    assert Keys(book.book).key("one") == usual


def test_what_a_package_carries_beside_its_code_counts(tmp_path):
    for name in ("__init__.py", "recipe.py", "net.safetensors", "README.md"):
        (tmp_path / name).write_text(name)
    assert files_beside([tmp_path / "recipe.py"]) == []
    assert files_beside([tmp_path / "__init__.py", tmp_path / "recipe.py"]) == [tmp_path / "net.safetensors"]
