"""Files that one page hands on to others: saved, loaded, refused."""

import http.server
import json
import threading
from functools import partial
from typing import ClassVar

import pytest
import torch

from dlbook import pages
from dlbook.models.layered_cnn import layered_cnn


@pytest.fixture
def saving(tmp_path, monkeypatch):
    """The folder that a page's files go to while the book is built."""
    monkeypatch.setattr(pages, "_saved", {})
    monkeypatch.setenv(pages.SAVES, str(tmp_path))
    return tmp_path


def offer(monkeypatch, folder: object, name: str) -> None:
    """Let pages load what was saved, from a folder or an address."""
    saved = pages.saved()[name]
    known = {"cnn/one": {name: [f"{folder}/{saved.file}", saved.sha256]}}
    monkeypatch.setenv(pages.LOADS, json.dumps(known))


def test_a_network_comes_back_as_it_was(saving, monkeypatch):
    torch.manual_seed(0)
    model, copy = layered_cnn().eval(), layered_cnn().eval()
    pages.save("network", model.state_dict())
    offer(monkeypatch, saving, "network")
    copy.load_state_dict(pages.load("cnn/one", "network"))
    images = torch.rand(4, 3, 32, 32)
    assert torch.equal(model(images), copy(images))


def test_a_table_comes_back_as_it_was(saving, monkeypatch):
    pages.save("table", {"names": ["ä"], "values": [1, 2.5]})
    offer(monkeypatch, saving, "table")
    assert pages.load("cnn/one", "table") == {"names": ["ä"], "values": [1, 2.5]}


def test_a_damaged_file_is_refused(saving, monkeypatch):
    pages.save("table", [1, 2])
    offer(monkeypatch, saving, "table")
    (saving / "table.json").write_text("[1, 3]")
    with pytest.raises(pages.PageFileError, match="damaged"):
        pages.load("cnn/one", "table")


@pytest.mark.parametrize(("page", "name"), [("cnn/two", "table"), ("cnn/one", "absent")])
def test_a_file_that_nobody_saved_is_named(saving, monkeypatch, page, name):
    pages.save("table", [1])
    offer(monkeypatch, saving, "table")
    with pytest.raises(pages.PageFileError, match=page):
        pages.load(page, name)


class Site(http.server.SimpleHTTPRequestHandler):
    """A site whose server is busy as often as `troubles` says."""

    troubles: ClassVar = []

    def do_GET(self) -> None:
        if self.troubles:
            self.send_error(self.troubles.pop())
        else:
            super().do_GET()


def test_elsewhere_it_is_fetched_once_and_checked(saving, monkeypatch, tmp_path):
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(Site, "troubles", [503])  # a reader need not press anything again
    pages.save("table", [1, 2])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(saving)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        offer(monkeypatch, address, "table")
        assert pages.load("cnn/one", "table") == [1, 2]
    finally:
        server.shutdown()
        server.server_close()
    assert not Site.troubles
    assert pages.load("cnn/one", "table") == [1, 2]  # no server is needed for it any more
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "empty"))
    with pytest.raises(pages.PageFileError, match="cannot be had"):
        pages.load("cnn/one", "table")


def test_outside_the_build_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv(pages.SAVES, raising=False)
    monkeypatch.chdir(tmp_path)
    pages.save("table", [1])
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_none_or_taken_are_refused(saving):
    with pytest.raises(ValueError, match="letters"):
        pages.save("../table", [1])
    pages.save("table", [1])
    with pytest.raises(ValueError, match="table"):
        pages.save("table", [2])
