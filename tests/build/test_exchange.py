"""Executed chapters carried from machine to machine: merged, packed up, previewed."""

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bookbuild.book import Book as BookFolders
from bookbuild.book import BookError
from bookbuild.repository import commit, reason, repository, site_address
from bookbuild.run import exchange
from bookbuild.run.data_sets import answers
from bookbuild.run.exchange import CacheError, download, merge, merge_from
from conftest import ROOT
from small_book import Book
from stand_in import stand_in

PLAIN = "import torch\nfrom dlbook import initial\nprint('plain')"


def cache_of(book: Book) -> Path:
    return book.folder / "_build" / ".jupyter_cache"


def folders(root: Path) -> BookFolders:
    """Return where a book's parts lie, the cache among them."""
    return BookFolders(root, root / "book", root / "_build", root / "_toc.yml")


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Book:
    """A book built on another machine, which has a GPU: the key says so, as no chapter here computes."""
    book = Book(tmp_path_factory.mktemp("runner"))
    assert book.build(DLBOOK_DEVICE="cuda") == ["data", "plain"]
    return book


@pytest.fixture
def laptop(tmp_path) -> Book:
    book = Book(tmp_path)
    toc = book.folder / "_toc.yml"
    toc.write_text(toc.read_text() + "- file: times\n")
    (book.folder / "book" / "times.md").write_text("# Times\n\n:::{run-times}\n:::\n")
    return book


def times(book: Book) -> str:
    return (book.folder / "_build" / "html" / "times.html").read_text()


def test_what_others_executed_is_not_executed_again(runner, tmp_path):
    book = Book(tmp_path)
    counts = merge(cache_of(runner), folders(book.folder))
    assert counts == {"added": 2, "there already": 0, "damaged": 0}
    assert book.build(DLBOOK_DEVICE="cuda") == []
    assert merge(cache_of(runner), folders(book.folder)) == {"added": 0, "there already": 2, "damaged": 0}


def test_caches_of_several_machines_are_merged_into_one(runner, tmp_path):
    """Two machines executed one chapter each; a third builds from both."""
    for name in ("plain", "data"):
        part = Book(tmp_path / name)
        assert part.build(DLBOOK_DEVICE="cuda", DLBOOK_CHAPTERS=f"cnn/{name}") == [name]
        merge(cache_of(part), folders(tmp_path / "merged"))
    book = Book(tmp_path / "third")
    merge(folders(tmp_path / "merged").cache_folder, folders(book.folder))
    assert book.build(DLBOOK_DEVICE="cuda") == []


def test_a_preview_takes_the_gpu_s_outputs_and_executes_only_what_changed(runner, laptop):
    merge(cache_of(runner), folders(laptop.folder))
    # Without the data, this chapter's stand-in outputs are not what a publisher would have.
    assert laptop.build(DLBOOK_DEVICE="cpu", DLBOOK_PREVIEW="1") == ["data"]
    assert (
        times(laptop).count("another machine&#39;s cache") + times(laptop).count("another machine's cache")
        == 1
    )
    laptop.write("plain", PLAIN.replace("'plain'", "'changed'"))
    assert laptop.build(DLBOOK_DEVICE="cpu", DLBOOK_PREVIEW="1") == ["plain"]
    assert "another machine" not in times(laptop)
    laptop.write("plain", PLAIN)
    assert laptop.build(DLBOOK_DEVICE="cpu", DLBOOK_PREVIEW="1") == []
    assert "another machine" in times(laptop)


def test_a_build_that_is_no_preview_never_takes_a_gpu_s_outputs(runner, laptop):
    merge(cache_of(runner), folders(laptop.folder))
    assert laptop.build(DLBOOK_DEVICE="cpu") == ["data", "plain"]


def test_damaged_entries_are_left_out(runner, tmp_path):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", cache_of(runner), copy], check=True)
    damaged = next(copy.glob("executed/*/base.ipynb"))
    damaged.write_text(damaged.read_text().replace("print", "tnirp"))
    assert merge(copy, folders(tmp_path / "target")) == {"added": 1, "there already": 0, "damaged": 1}


def test_an_archive_cannot_write_outside_its_folder(tmp_path):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        (tmp_path / "payload").write_text("x")
        archive.add(tmp_path / "payload", arcname="../escaped")
    with pytest.raises(CacheError, match="leads out"):
        merge_from(str(tmp_path / "evil.tar.gz"), folders(tmp_path / "target"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "nowhere does not exist"),
        ("tests", "tests is no execution cache"),
        ("README.md", "README.md cannot be unpacked"),
        ("http://127.0.0.1:9/cache.tar.gz", "cannot be had"),
    ],
)
def test_what_is_no_cache_is_refused_with_a_reason(tmp_path, source, message):
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    command = [sys.executable, "-m", "bookbuild", "--root", tmp_path, "merge", source]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "book" / "_ext")}
    said = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert said.returncode == 1
    assert message in said.stderr
    assert "Traceback" not in said.stderr


def test_a_bundle_of_certificates_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(CacheError, match=r"cannot be had: .*/nowhere\.pem"):
        download("https://127.0.0.1:9/cache.tar.gz", tmp_path / "cache.tar.gz")
    assert not answers("https://127.0.0.1:9/")


def knows_an_alias(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let SSH know GitHub as *work* too; it reads the settings of the account, whatever HOME is."""
    lines = 'if [ "$3" = work ]; then set -- -G -- github.com; fi\necho "hostname $3"'
    stand_in(folder, "ssh", lines, monkeypatch)


GITHUB = [
    "https://github.com/someone/book.git",
    "git@github.com:someone/book.git",
    "https://github.com/someone/book",
    "https://token@GitHub.com/someone/book/",
    "ssh://git@github.com/someone/book.git",
    "ssh://git@ssh.github.com:443/someone/book.git",
    "ssh://git@github.com:22/someone/book.git",
    "GitHub.com:someone/book.git",
    "git@work:someone/book.git",
]
ELSEWHERE = [
    "https://evilgithub.com/a/b",
    "https://github.com.evil.org/a/b",
    "git@example.org:a/b",
    "../b",
    "a:/b/c/d",
]


@pytest.mark.parametrize("remote", [*GITHUB, *ELSEWHERE])
def test_the_repository_is_found_from_a_remote_on_github_and_from_no_other(tmp_path, monkeypatch, remote):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    knows_an_alias(tmp_path, monkeypatch)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert repository(tmp_path) is None
    subprocess.run(["git", "-C", tmp_path, "remote", "add", "origin", remote], check=True)
    found = remote in GITHUB
    assert repository(tmp_path) == (("someone", "book") if found else None)
    assert site_address(tmp_path) == ("https://someone.github.io/book/" if found else None)
    assert found or "leads to GitHub" in reason(tmp_path)


def test_the_site_of_an_account_is_at_its_top(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "Fork/fork.github.io")
    assert site_address(tmp_path) == "https://fork.github.io/"


def test_any_remote_may_lead_to_github_and_origin_goes_first(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name, owner in (("mine", "me"), ("origin", "them")):
        remote = f"https://github.com/{owner}/book"
        subprocess.run(["git", "-C", tmp_path, "remote", "add", name, remote], check=True)
        assert repository(tmp_path) == (owner, "book")


def test_a_remote_without_an_address_hides_no_other(tmp_path, monkeypatch):
    """Newer versions of git fail there, where older ones say its name."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    refusing = 'case "$*" in *"get-url origin") exit 2;; esac'
    stand_in(tmp_path, "git", f'{refusing}\nexec {shutil.which("git")} "$@"', monkeypatch)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "config", "remote.origin.prune", "true"], check=True)
    add = ["git", "-C", tmp_path, "remote", "add", "them", "https://github.com/someone/book"]
    subprocess.run(add, check=True)
    assert repository(tmp_path) == ("someone", "book")


def test_a_copy_inside_another_repository_is_not_that_one(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    add = ["git", "-C", tmp_path, "remote", "add", "origin", "https://github.com/other/repository"]
    subprocess.run(add, check=True)
    (tmp_path / "book").mkdir()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))  # as in a hook of the other one
    assert repository(tmp_path / "book") is None
    assert commit(tmp_path / "book") == ""
    assert "it only lies in the one of" in reason(tmp_path / "book")


def test_without_git_or_a_checkout_the_reason_is_said(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert repository(tmp_path) is None
    assert "not a git repository" in reason(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert repository(tmp_path) is None
    assert "git cannot be run" in reason(tmp_path)


@pytest.mark.parametrize("name", ["someone/book; rm", "../book", "someone/..", "someone/b\u00fcch", "a/b/c"])
def test_a_repository_s_name_is_checked(tmp_path, monkeypatch, name):
    monkeypatch.setenv("GITHUB_REPOSITORY", name)
    with pytest.raises(BookError, match="owner/name"):
        repository(tmp_path)


# --- servers that do not come to an end ------------------------------------------------------------


@pytest.fixture
def endless() -> Iterator[str]:
    """The address of a server that answers every request with bytes and more bytes, for a minute at most."""
    listener, released = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while not released.wait(0.01):
                connection.sendall(bytes(100_000))
        except OSError:
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    stop = threading.Timer(60, released.set)
    stop.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/cache.tar.gz"
    stop.cancel()
    released.set()
    listener.close()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("bound", "most", "said"),
    [("LARGEST_ARCHIVE", 1_000_000, "more than 1,000,000 bytes"), ("LONGEST_DOWNLOAD", 0.1, "within 0.1 s")],
)
def test_a_cache_without_an_end_is_not_waited_for(tmp_path, monkeypatch, endless, bound, most, said):
    monkeypatch.setattr(exchange, bound, most)
    with pytest.raises(CacheError, match=said):
        download(endless, tmp_path / "cache.tar.gz")
    assert (tmp_path / "cache.tar.gz").stat().st_size < 60_000_000
