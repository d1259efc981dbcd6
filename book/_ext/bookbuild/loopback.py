"""A built site served on loopback: from files alone, a page's modules do not run."""

import functools
import http.server
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def served(
    folder: Path, headers: Mapping[str, str] | None = None, delay: float = 0, root: str = "/"
) -> Iterator[str]:
    """Serve a folder, and yield its address, without a slash at the end.

    Args:
        folder: what is served.
        headers: sent with each file.
        delay: seconds until a file is sent, as from a host far away.
        root: where at its host the folder lies, such as ``/some-book/``.
    """
    handler = functools.partial(
        _Silent, directory=str(folder), headers_to_send=headers or {}, delay=delay, root=root
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{root.rstrip('/')}"
        finally:
            server.shutdown()
            thread.join(timeout=10)


class _Silent(http.server.SimpleHTTPRequestHandler):
    def __init__(
        self, *args: object, headers_to_send: Mapping[str, str], delay: float, root: str, **kwargs: object
    ) -> None:
        self.headers_to_send, self.delay, self.root = headers_to_send, delay, root
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        time.sleep(self.delay)
        super().do_GET()

    def translate_path(self, path: str) -> str:
        """Return the file that an address means; none where it is outside the root."""
        inside = path.removeprefix(self.root)
        return super().translate_path(f"/{inside}") if path.startswith(self.root) else ""

    def end_headers(self) -> None:
        for name, value in self.headers_to_send.items():
            self.send_header(name, value)
        super().end_headers()

    def copyfile(self, *files: Any) -> None:
        """Send a file, and say nothing of a browser that leaves before it has all of it."""
        with suppress(ConnectionError):
            super().copyfile(*files)

    def log_message(self, *_: object) -> None:
        """Say nothing of each file."""
