"""A site that is served for tests, and to look at."""

import socket
import struct
from urllib.parse import urlsplit

import pytest
import requests
from bookbuild.loopback import served

pytestmark = pytest.mark.quick

# The connection is cut at once, and what was not read is lost.
AT_ONCE = struct.pack("ii", 1, 0)


def test_of_a_browser_that_leaves_early_nothing_is_said(tmp_path, capfd):
    (tmp_path / "large").write_bytes(bytes(50_000_000))
    with served(tmp_path) as address:
        place = urlsplit(address)
        with socket.create_connection((place.hostname, place.port), timeout=10) as browser:
            browser.sendall(b"GET /large HTTP/1.0\r\n\r\n")
            assert browser.recv(12) == b"HTTP/1.0 200"
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    assert "".join(capfd.readouterr()) == ""


def test_a_site_lies_where_its_host_has_it(tmp_path):
    """As a site of GitHub's lies below its repository's name, and only there."""
    (tmp_path / "page.html").write_text("here")
    with served(tmp_path, root="/some-book/") as address:
        assert address.endswith("/some-book")
        assert requests.get(f"{address}/page.html?v=1", timeout=10).text == "here"
        assert requests.get(f"{address.removesuffix('/some-book')}/page.html", timeout=10).status_code == 404
