"""What is published of a cache, and whose published cache a preview takes."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest
from bookbuild.__main__ import main
from bookbuild.book import Book
from bookbuild.run import exchange, liveness
from bookbuild.run.cache import ExecutionCache
from bookbuild.run.exchange import (
    CacheError,
    archives_below,
    export,
    merge_from,
    merge_published,
    published,
)
from rendered_book import RenderedBook

pytestmark = [pytest.mark.quick, pytest.mark.slow]

SAVES = "from dlbook import pages\npages.save('table', {number})"
LOADS = "from dlbook import data, pages\ndata.load('mnist')\npages.load('one', 'table')"


@pytest.fixture
def executed(tmp_path, monkeypatch) -> Book:
    """A book of two pages that two machines executed, each before and after a change of the first page."""
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "none"))
    book = RenderedBook(tmp_path / "book")
    for number in (1, 2):
        book.write_code("one", SAVES.format(number=number))
        book.write_code("two", LOADS)
        for device in ("cuda", "cpu"):
            monkeypatch.setattr("bookbuild.run.keys.device_kind", lambda device=device: device)
            for name in ("one", "two"):
                book.compute(name, {})
    assert len(kept(book.book)) == 8
    return book.book


def kept(book: Book) -> set[str]:
    return ExecutionCache(book.cache_folder).keys()


def target(folder: Path) -> Book:
    return Book(folder, folder / "book", folder / "_build", folder / "_toc.yml")


def test_published_is_what_some_machine_could_ask_for_now(executed, tmp_path):
    export(executed, tmp_path / "cache.tar.gz")
    assert merge_from(str(tmp_path / "cache.tar.gz"), target(tmp_path / "other"))["added"] == 4
    found = ExecutionCache(target(tmp_path / "other").cache_folder).fingerprints()
    assert sorted(said["device"] for _, _, said in found) == ["cpu", "cpu", "cuda", "cuda"]
    assert kept(target(tmp_path / "other")) == liveness.live(executed, ExecutionCache(executed.cache_folder))
    assert len(kept(executed)) == 8  # an undone change finds its outputs here
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book", "cache.tar.gz", "other"]


@pytest.mark.parametrize(
    "fingerprint", [{}, {"fingerprint": []}, {"fingerprint": {"data": [], "pages": {}, "device": "cpu"}}]
)
def test_an_entry_without_a_fingerprint_or_with_an_odd_one_is_in_nobody_s_way(
    executed, tmp_path, monkeypatch, fingerprint
):
    """It may have come from another machine, and nobody has asked whether it has one."""
    live = liveness.live(executed, ExecutionCache(executed.cache_folder))
    kernel = {"name": "python3", "display_name": "Python 3", **fingerprint}
    notebook = nbformat.v4.new_notebook(cells=[], metadata={"kernelspec": kernel})
    artifacts = next(executed.cache_folder.glob("executed/*/artifacts"))
    ExecutionCache(executed.cache_folder).store(executed.pages["one"].path, notebook, artifacts, 1.0)
    assert len(kept(executed)) == 9
    export(executed, tmp_path / "cache.tar.gz")
    assert merge_from(str(tmp_path / "cache.tar.gz"), target(tmp_path / "other"))["added"] == 4
    assert kept(target(tmp_path / "other")) == live
    monkeypatch.setattr(liveness, "KEPT", timedelta(seconds=-5))
    assert liveness.prune(executed) == 5


def test_what_a_runner_of_one_page_hands_on_is_that_page_alone(executed, tmp_path, monkeypatch):
    monkeypatch.setenv("DLBOOK_CHAPTERS", "two")
    export(executed, tmp_path / "runner-7" / "execution-cache.tar.gz")
    other = target(tmp_path / "other")
    (archive,) = archives_below(str(tmp_path))
    assert archives_below(str(tmp_path / "runner-7")) == [archive]  # GitHub gives one alone no folder
    assert archives_below(str(executed.cache_folder)) == [str(executed.cache_folder)]
    assert merge_from(archive, other)["added"] == 2
    sources = {Path(source).name for _, source, _ in ExecutionCache(other.cache_folder).fingerprints()}
    assert sources == {"two.md"}
    monkeypatch.setenv("DLBOOK_CHAPTERS", "one")
    ExecutionCache(executed.cache_folder).forget([])
    with pytest.raises(CacheError, match="no outputs of one are in"):
        export(executed, tmp_path / "execution-cache.tar.gz")


def test_only_whom_outputs_are_optional_packs_up_none_without_an_error(tmp_path, monkeypatch, capsys):
    """As a runner whose page failed: the page's own step alone is to be red."""
    book = RenderedBook(tmp_path / "book")
    book.write_code("one", SAVES)
    monkeypatch.setattr(Book, "at", lambda root: book.book)
    assert main(["export", str(tmp_path / "cache.tar.gz")]) == 1
    assert "no outputs of any page are in" in capsys.readouterr().err
    assert main(["export", "--if-any", str(tmp_path / "cache.tar.gz")]) == 0
    assert "no outputs of any page are in" in capsys.readouterr().out
    assert not (tmp_path / "cache.tar.gz").exists()
    book.compute("one", {})
    assert main(["export", "--if-any", str(tmp_path / "cache.tar.gz")]) == 0
    assert (tmp_path / "cache.tar.gz").exists()


def test_nothing_to_publish_is_an_error(tmp_path):
    book = RenderedBook(tmp_path / "book")
    book.write_code("one", "1 + 1")
    with pytest.raises(CacheError, match="build the book first"):
        export(book.book, tmp_path / "cache.tar.gz")


def test_what_nobody_has_asked_for_in_long_is_forgotten(executed, monkeypatch):
    assert liveness.prune(executed) == 0
    monkeypatch.setattr(liveness, "KEPT", timedelta(seconds=-5))
    assert liveness.prune(executed) == 4
    assert kept(executed) == liveness.live(executed, ExecutionCache(executed.cache_folder))


@pytest.fixture
def web(tmp_path) -> Iterator[Callable[[dict[str, bytes]], str]]:
    """Serve contents at paths, and say where; all else is not found."""
    servers = []

    def serve(contents: dict[str, bytes]) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path in contents else 404)
                self.end_headers()
                self.wfile.write(contents.get(self.path, b""))

            def log_message(self, *_: object) -> None:
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("parent", ["them", "others"])
def test_a_fork_without_a_site_takes_the_outputs_of_what_it_was_made_from(
    executed, tmp_path, monkeypatch, web, parent
):
    """Also a fork of a fork, where neither has a site."""
    export(executed, tmp_path / "cache.tar.gz")
    origins = {"parent": parent, "source": "them"}
    said = {key: {"owner": {"login": owner}, "name": "book"} for key, owner in origins.items()}
    address = web(
        {
            "/repos/me/book": json.dumps(said).encode(),
            "/them/book/execution-cache.tar.gz": (tmp_path / "cache.tar.gz").read_bytes(),
        }
    )
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/book")
    monkeypatch.setattr(exchange, "GITHUB_API", address)
    monkeypatch.setattr(exchange, "pages_address", lambda owner, name: f"{address}/{owner}/{name}/")
    fork = target(tmp_path / "fork")
    found = merge_published(fork)
    assert found is not None
    assert found[0] == f"{address}/them/book/execution-cache.tar.gz"
    assert found[1]["added"] == 4


def test_where_nothing_is_published_a_preview_goes_on(tmp_path, monkeypatch, web, capsys):
    config = Path(__file__).parents[2] / "_config.yml"
    (tmp_path / "_config.yml").write_text(config.read_text())
    address = web({})
    monkeypatch.setattr(exchange, "GITHUB_API", address)
    monkeypatch.setattr(exchange, "pages_address", lambda owner, name: f"{address}/{owner}/{name}/")
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/book")
    assert list(published(target(tmp_path))) == [f"{address}/me/book/execution-cache.tar.gz"]
    assert main(["--root", str(tmp_path), "merge"]) == 0
    assert "no published outputs: what is not in the cache is executed" in capsys.readouterr().out
    assert main(["--root", str(tmp_path), "merge", f"{address}/execution-cache.tar.gz"]) == 1
