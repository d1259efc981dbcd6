"""Files from the web: from the first source that has them, resumed, checked, and whole or not there."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, ResponseError

from dlbook import progress
from dlbook.data.entries import Archive
from dlbook.data.files import sha256_of
from dlbook.data.source import NoSource


class WrongBytes(Exception):  # noqa: N818 - what happened, to be handled; not an error of the program
    """A source sent something else than the file."""


@dataclass(frozen=True)
class Limits:
    """How patient to be with a source before the next one is asked.

    Attributes:
        connect: seconds for a connection.
        silence: seconds without a byte.
        answer: seconds until the headers of an answer are complete, however they arrive.
        attempts: times to try again after a cut, a stall or a server's error, counted from the last progress.
        backoff: seconds of the first pause between attempts; each next one is twice as long.
        longest_wait: seconds that a server may ask to wait for (Retry-After).
        grace: seconds after which the speed counts.
        slowest: bytes a second, on average.
    """

    connect: float = 10
    silence: float = 30
    answer: float = 30
    attempts: int = 4
    backoff: float = 0.5
    longest_wait: float = 60
    grace: float = 60
    slowest: float = 10_000


LIMITS = Limits()


class _Patience(urllib3.Retry):
    """Retries that leave a source that asks to wait for too long."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        seconds = super().get_retry_after(response)
        if seconds and seconds > LIMITS.longest_wait:
            asked = ResponseError(f"it asks to wait {seconds:.0f} s")
            raise MaxRetryError(None, None, asked)  # type: ignore[arg-type]
        return seconds


def fetch(archives: Sequence[Archive], sources: Sequence[str], folder: Path) -> list[Path]:
    """Bring files to a folder, each under its name only when its SHA-256 is right.

    What has arrived before a cut stays beside it as ``<name>.part`` and is continued, also by a later
    process and from another source. Proxies are taken from the environment (``HTTPS_PROXY`` and so on).

    Args:
        archives: the files.
        sources: folders on the web, in the order to ask them.
        folder: where to put them; made if it is not there.

    Returns:
        The files, in order.

    Raises:
        NoSource: none has them all, or none can be reached.
        OSError: the folder cannot take them; parts are removed, so that a full disk is not kept full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    complaints = []
    for source in sources:
        try:
            with session(LIMITS.attempts) as opened:
                return [_Download(opened, source, archive, folder).run() for archive in archives]
        # A ValueError is what an address can raise that a source redirects to.
        except (requests.RequestException, HTTPError, WrongBytes, ValueError) as error:
            complaints.append(f"{source}: {error}")
        except OSError as error:
            if error.errno is not None and not isinstance(error, ssl.SSLError):
                for archive in archives:
                    _part(folder, archive).unlink(missing_ok=True)
                raise
            # Not of the folder, but of the certificates that this machine trusts.
            complaints.append(f"{source}: {error} (REQUESTS_CA_BUNDLE says where certificates are)")
    raise NoSource("; ".join(complaints) or "no source is known")


def _part(folder: Path, archive: Archive) -> Path:
    return folder / archive.part


class _Prompt(HTTPConnection):
    """A connection that hangs up on headers without an end; each byte of them alone renews the patience."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        connected, is_late = self.sock, threading.Event()

        def hang_up() -> None:
            is_late.set()
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(LIMITS.answer, hang_up)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()
        finally:
            timer.cancel()
            if is_late.is_set():
                raise TimeoutError(f"it did not answer within {LIMITS.answer:.0f} s")


class _PromptTLS(_Prompt, HTTPSConnection):
    """The same, encrypted."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Prompt


class _PoolTLS(urllib3.HTTPSConnectionPool):
    ConnectionCls = _PromptTLS


class _Adapter(HTTPAdapter):
    """Makes such connections, straight and through proxies."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> urllib3.ProxyManager:
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


_POOLS = {"http": _Pool, "https": _PoolTLS}


def session(attempts: int) -> requests.Session:
    """Return what asks servers, and tries again so often where one has trouble.

    What takes longer to answer than `LIMITS` say is left.
    """
    retries = _Patience(
        total=attempts,
        connect=min(1, attempts),
        read=min(1, attempts),
        backoff_factor=LIMITS.backoff,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )
    opened = requests.Session()
    # Some servers pack a .gz once more, or unpack it, unless they are told not to.
    opened.headers.update({"Accept-Encoding": "identity", "User-Agent": "dlbook"})
    for scheme in ("http://", "https://"):
        opened.mount(scheme, _Adapter(max_retries=retries))
    return opened


class _Download:
    """One file from one source."""

    def __init__(self, session: requests.Session, source: str, archive: Archive, folder: Path) -> None:
        self.session, self.archive = session, archive
        self.url = source + archive.name
        self.final = folder / archive.name
        self.part = _part(folder, archive)
        self.start, self.received = time.monotonic(), 0

    def run(self) -> Path:
        if self.final.exists() and self._is_right(self.final):
            return self.final
        resumed = self.part.exists()
        try:
            self._complete()
            if resumed and not self._is_right(self.part):  # perhaps the earlier part was bad
                self.part.unlink()
                self._complete()
            if not self._is_right(self.part):
                raise WrongBytes(f"sent wrong bytes for {self.archive.name}, and nothing was kept")
        except WrongBytes:
            self.part.unlink(missing_ok=True)
            raise
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.final)
        return self.final

    def _is_right(self, path: Path) -> bool:
        return sha256_of(path) == self.archive.sha256

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _complete(self) -> None:
        """Append until the length is right."""
        fresh = urllib3.Retry(LIMITS.attempts, backoff_factor=LIMITS.backoff)
        left, most = fresh, self._size()
        while self._size() < self.archive.size:
            try:
                self._append()
            except HTTPError as error:
                if self._size() > most:
                    left, most = fresh, self._size()
                try:
                    left = left.increment("GET", self.url, error=error)
                except (HTTPError, OSError) as given_up:
                    raise requests.ConnectionError(f"{self.archive.name} broke off: {error}") from given_up
                left.sleep()

    def _append(self) -> None:
        """Ask for what is missing, once, and write what comes."""
        have = self._size()
        headers = {"Range": f"bytes={have}-"} if have else {}
        timeout = (LIMITS.connect, LIMITS.silence)
        with self.session.get(self.url, headers=headers, stream=True, timeout=timeout) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink()
                raise ProtocolError("the source cannot continue where the last one stopped")
            answer.raise_for_status()
            continues = answer.status_code == requests.codes.partial_content
            if not continues:
                have = 0
            self._require_length(answer, have)
            with self.part.open("ab" if continues else "wb") as file, closing(self._bar(have)) as bar:
                for chunk in self._chunks(answer):
                    file.write(chunk)
                    bar.update(len(chunk))
        if self._size() < self.archive.size:
            raise ProtocolError(f"ended after {self._size():,} of {self.archive.size:,} bytes")

    def _require_length(self, answer: requests.Response, have: int) -> None:
        length = answer.headers.get("Content-Length")
        if not length or "Content-Encoding" in answer.headers:
            return
        said = {part.strip() for part in length.split(",")}  # once for each time that the header was sent
        size = said.pop()
        if said or not (size.isascii() and size.isdecimal()):
            raise WrongBytes(f"says that {self.archive.name} has {length!r} bytes")
        if have + int(size) != self.archive.size:
            raise WrongBytes(f"sent {have + int(size):,} bytes, not the {self.archive.size:,} of the file")

    def _bar(self, have: int) -> "progress.tqdm[int]":
        options = {"total": self.archive.size, "initial": have, "unit": "B", "unit_scale": True}
        return progress.bar((), desc=self.archive.name, **options)

    def _chunks(self, answer: requests.Response) -> Iterator[bytes]:
        """Yield what arrives as it arrives: a trickle must not go unseen until a buffer is full."""
        left = self.archive.size - (
            self._size() if answer.status_code == requests.codes.partial_content else 0
        )
        while chunk := answer.raw.read1(1 << 16, decode_content=False):
            self.received += len(chunk)
            left -= len(chunk)
            if left < 0:
                raise WrongBytes(f"sent more than the {self.archive.size:,} bytes of the file")
            seconds = time.monotonic() - self.start
            if seconds > LIMITS.grace and self.received / seconds < LIMITS.slowest:
                raise requests.Timeout(f"sends {self.received / seconds:,.0f} bytes a second")
            yield chunk
