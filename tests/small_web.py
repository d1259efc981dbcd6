"""Tiny versions of the data sets, and a web server on loopback that misbehaves as it is told."""

import gzip
import hashlib
import http.server
import io
import pickle
import struct
import tarfile
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from dlbook.data.registry import REGISTRY, Archive, Entry, cache_files

Files = dict[str, bytes]


# --- tiny data sets ------------------------------------------------------------------------------


class Python2Pickler(pickle._Pickler):
    """Writes byte strings as Python 2 did, which is how CIFAR-10 was pickled."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_bytes(self, text: bytes) -> None:
        self.write(pickle.BINSTRING + struct.pack("<i", len(text)) + text)
        self.memoize(text)

    dispatch[bytes] = save_bytes

    def save_global(self, found: object, name: str | None = None) -> None:
        module = found.__module__.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{module}\n{found.__name__}\n".encode())
        self.memoize(found)

    dispatch[type] = save_global
    dispatch[type(lambda: 0)] = save_global
    dispatch[type(np.empty(0).__reduce__()[0])] = save_global


def python2_pickle(content: object) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue()


def idx(array: np.ndarray) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def tar(files: Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(stream.getvalue(), mtime=0)


def digits(seed: int) -> Files:
    """Twenty training and ten test images of 28×28, under MNIST's names."""
    random = np.random.default_rng(seed)
    made = {}
    for prefix, count in (("train", 20), ("t10k", 10)):
        made[f"{prefix}-images-idx3-ubyte"] = idx(random.integers(0, 256, (count, 28, 28)))
        made[f"{prefix}-labels-idx1-ubyte"] = idx(np.arange(count) % 10)
    return made


def cifar10() -> bytes:
    """Twenty training and five test images, in CIFAR-10's layout."""
    random = np.random.default_rng(2)
    batches = {}
    for name, count in [(f"data_batch_{number}", 4) for number in range(1, 6)] + [("test_batch", 5)]:
        pixels = random.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = random.integers(0, 10, count).tolist()
        batches[f"cifar-10-batches-py/{name}"] = python2_pickle({b"data": pixels, b"labels": labels})
    return tar(batches | {"cifar-10-batches-py/readme.html": b"<p>read me</p>"})


def jpeg(random: np.random.Generator, height: int = 24, width: int = 30) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(stream, "jpeg")
    return stream.getvalue()


def flower_photos() -> Files:
    """Forty photographs, eight a class."""
    random = np.random.default_rng(3)
    names = REGISTRY["flower_photos"].classes
    return {f"flower_photos/{name}/{i}.jpg": jpeg(random) for name in names for i in range(8)}


def tiny_world() -> tuple[dict[str, Entry], dict[str, Files]]:
    """Return entries for the registry, without sources, and each one's archives."""
    mnist, fashion = digits(0), digits(1)
    archives = {
        "mnist": {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in mnist.items()},
        "fashion_mnist": {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in fashion.items()},
        "cifar10": {"cifar-10-python.tar.gz": cifar10()},
        "flower_photos": {
            "flower_photos.tgz": tar({"flower_photos/LICENSE.txt": b"CC BY"} | flower_photos())
        },
    }
    entries = {name: tiny_entry(name, files) for name, files in archives.items()}
    checksums = {f"MNIST/raw/{name}": hashlib.sha256(content).hexdigest() for name, content in mnist.items()}
    entries["mnist"] = replace(entries["mnist"], files=checksums)
    entries["fashion_mnist"] = replace(entries["fashion_mnist"], counts=(20, 10))
    entries["cifar10"] = replace(entries["cifar10"], counts=(20, 5))
    entries["flower_photos"] = replace(entries["flower_photos"], shape=(3, 16, 16))
    return entries, archives


def tiny_entry(name: str, files: Files) -> Entry:
    described = tuple(
        Archive(file, len(content), hashlib.sha256(content).hexdigest()) for file, content in files.items()
    )
    return replace(REGISTRY[name], archives=described, sources=())


def final_files(name: str) -> list[str]:
    return list(REGISTRY[name].files) or list(cache_files(name))


# --- the server ----------------------------------------------------------------------------------


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
        self.files = {
            f"/{mirror}/{name}/{file}": content
            for mirror in ("one", "two")
            for name, files in archives.items()
            for file, content in files.items()
        }
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.log: list[tuple[str, str | None]] = []
        self.released = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

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


def hang_up(handler: Handler, content: bytes) -> None:
    """Close the connection without a word."""


def in_pieces(handler: Handler, content: bytes) -> None:
    """Serve in many small pieces, so that a kill can fall between them."""
    handler.answer(200, {"Content-Length": str(len(content))})
    size = max(64, len(content) // 200)
    for start in range(0, len(content), size):
        handler.wfile.write(content[start : start + size])
        handler.server.released.wait(0.0005)
