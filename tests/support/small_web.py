"""A web server on loopback that has tiny data sets, and misbehaves as it is told."""

import hashlib
import http.server
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from tiny_data import Files, final_files, tiny_world

from dlbook.data import Dataset
from dlbook.data.entries import Entry

NAMES = ("mnist", "fashion_mnist", "cifar10", "flower_photos")
ENTRIES, ARCHIVES = tiny_world()


class Server(http.server.ThreadingHTTPServer):
    """Serves each archive at /one/<data set>/ and /two/<data set>/, and keeps a log.

    Attributes:
        faults: by path, what to do in place of serving it; the last one stays.
        log: the path and the Range header of every request.
        released: what stalls ends when this is set.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, archives: dict[str, Files]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        for name, files in archives.items():
            self.offer(name, files)
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.log: list[tuple[str, str | None]] = []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def offer(self, name: str, files: Files) -> None:
        for mirror in ("one", "two"):
            self.files |= {f"/{mirror}/{name}/{file}": content for file, content in files.items()}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def sources(self, name: str) -> tuple[str, str]:
        return f"{self.address}/one/{name}/", f"{self.address}/two/{name}/"

    def close(self) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed are no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.0"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        path = self.path.removeprefix(self.server.address)  # a proxy is asked for the whole address
        self.server.log.append((path, self.headers["Range"]))
        faults = self.server.faults[path]
        fault = (faults.pop(0) if len(faults) > 1 else faults[0]) if faults else serve
        content = self.server.files.get(path)
        if content is None:
            status(404)(self, b"")
        else:
            fault(self, content)

    def answer(self, code: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(code)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)


Fault = Callable[[Handler, bytes], None]


def serve(handler: Handler, content: bytes) -> None:
    """Serve as a good server does, ranges too."""
    start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
    headers = {"Content-Length": str(len(content) - start)}
    if start == 0:
        handler.answer(200, headers, content)
    elif start < len(content):
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.answer(206, headers, content[start:])
    else:
        handler.answer(416, {"Content-Range": f"bytes */{len(content)}"})


def status(code: int, **headers: str) -> Fault:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda handler, content: handler.answer(code, named, b"no")


def redirect(old: str, new: str) -> Fault:
    return lambda handler, content: handler.answer(302, {"Location": handler.path.replace(old, new)})


def body(change: Callable[[bytes], bytes], *, length: bool = True) -> Fault:
    """Serve something else, with its length or without."""

    def fault(handler: Handler, content: bytes) -> None:
        changed = change(content)
        handler.answer(200, {"Content-Length": str(len(changed))} if length else {}, changed)

    return fault


def cut(handler: Handler, content: bytes) -> None:
    """Serve the range that was asked for, and hang up halfway."""
    start = int((handler.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))
    rest = content[start:]
    handler.answer(206 if start else 200, {"Content-Length": str(len(rest))}, rest[: len(rest) // 2])


def cut_without_ranges(handler: Handler, content: bytes) -> None:
    handler.answer(200, {"Content-Length": str(len(content))}, content[: len(content) // 2])


def whole(handler: Handler, content: bytes) -> None:
    """Serve everything whatever range was asked for."""
    handler.answer(200, {"Content-Length": str(len(content))}, content)


def stall(handler: Handler, content: bytes) -> None:
    handler.answer(200, {"Content-Length": str(len(content))}, content[:10])
    handler.server.released.wait(30)


def trickle_headers(handler: Handler, content: bytes) -> None:
    """Send one header after the other, each before anybody loses patience, and never the last one."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.released.wait(0.05):
        handler.wfile.write(b"X: x\r\n")


def continue_forever(handler: Handler, content: bytes) -> None:
    """Say again and again that an answer will come."""
    while not handler.server.released.wait(0.05):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def hang_up(handler: Handler, content: bytes) -> None:
    """Close the connection without a word."""


def in_pieces(handler: Handler, content: bytes) -> None:
    """Serve in many small pieces, so that a kill can fall between them."""
    handler.answer(200, {"Content-Length": str(len(content))})
    size = max(64, len(content) // 200)
    for start in range(0, len(content), size):
        handler.wfile.write(content[start : start + size])
        handler.server.released.wait(0.0005)


def entries(server: Server) -> dict[str, Entry]:
    return {name: replace(entry, sources=server.sources(name)) for name, entry in ENTRIES.items()}


def final_content(directory: Path, name: str) -> dict[str, str]:
    """Return file → SHA-256 of what lies under final names."""
    paths = [directory / file for file in final_files(name)]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()}


def same(dataset: Dataset, other: Dataset) -> bool:
    return all(
        torch.equal(ours.images, theirs.images) and torch.equal(ours.labels, theirs.labels)
        for ours, theirs in ((dataset.train, other.train), (dataset.test, other.test))
    )


def first_archive(name: str) -> str:
    return ENTRIES[name].archives[0].name
