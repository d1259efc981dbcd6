"""Sources that misbehave: each fault is tried, survived, and counted; the counts end the test run."""

import errno
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import urllib3.util.retry
from lockless import drive_without_locks
from small_web import (
    ARCHIVES,
    ENTRIES,
    NAMES,
    Fault,
    body,
    continue_forever,
    cut,
    cut_without_ranges,
    final_content,
    first_archive,
    hang_up,
    in_pieces,
    redirect,
    same,
    stall,
    status,
    trickle_headers,
    whole,
)

from dlbook import data
from dlbook.data import DataError, fetching
from dlbook.data.fetching import Limits
from dlbook.data.registry import REGISTRY


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """The pauses between attempts, none of which is really made."""
    made: list[float] = []
    clock = SimpleNamespace(time=time.time, sleep=made.append)
    monkeypatch.setattr(urllib3.util.retry, "time", clock)
    return made


@pytest.fixture
def misbehave(web, monkeypatch) -> Callable[[str, list[Fault]], None]:
    """Give a path its faults. Only a stall shortens the patience: a busy machine answers late, too."""

    def give(path: str, faults: list[Fault]) -> None:
        web.faults[path] = list(faults)
        if stall in faults:
            monkeypatch.setattr(fetching, "LIMITS", replace(Limits(), silence=0.5))

    return give


# --- what a source can do wrong ------------------------------------------------------------------

# One mirror does this, again and again; the other one is good.
LASTING: dict[str, list[Fault]] = {
    "403": [status(403)],
    "404": [status(404)],
    "410": [status(410)],
    "429 for a day": [status(429, Retry_After="86400")],
    "500": [status(500)],
    "503": [status(503)],
    "redirect in a circle": [redirect("/one/", "/one/")],
    "a length that is no number": [
        lambda handler, content: handler.answer(200, {"Content-Length": "many"}, content)
    ],
    "two lengths": [lambda handler, content: handler.answer(200, {"Content-Length": "10, 11"}, content)],
    "redirect to no address": [status(302, Location="http://[::1/")],
    "redirect to nowhere": [status(302, Location="file:///etc/passwd")],
    "stall": [stall],
    "cut in the middle": [cut_without_ranges],
    "hang up": [hang_up],
    "wrong bytes of the right length": [body(lambda content: bytes(len(content)))],
    "one bit": [body(lambda content: content[:-1] + bytes([content[-1] ^ 1]))],
    "truncated": [body(lambda content: content[:-7])],
    "too long": [body(lambda content: content + b"more", length=False)],
    "empty": [body(lambda content: b"")],
    "HTML for a gzip": [body(lambda content: b"<html>Log in to the train's network</html>")],
    "HTML without a length": [body(lambda content: b"<html>Log in</html>", length=False)],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", LASTING)
def test_another_source_serves_when_one_is_bad(misbehave, pauses, truth, tally, name, fault):
    misbehave(f"/one/{name}/{first_archive(name)}", LASTING[fault])
    loaded = data.load(name)
    assert not loaded.source.is_standin
    assert same(loaded, truth[name])
    assert sum(pauses) <= 60
    tally("a bad source beside a good one")


def test_a_length_that_is_said_twice_is_that_length(web, truth):
    """So servers behind others say it; where it is refused, the next source is asked."""

    def say_twice(handler, content):
        handler.answer(200, {"Content-Length": f"{len(content)}, {len(content)}"}, content)

    web.faults[f"/one/mnist/{first_archive('mnist')}"] = [say_twice]
    assert same(data.load("mnist"), truth["mnist"])
    assert not [path for path, _ in web.log if path.startswith("/two/")]


@pytest.mark.parametrize("fault", [trickle_headers, continue_forever])
def test_headers_without_an_end_are_left_for_another_source(web, pauses, truth, tally, monkeypatch, fault):
    monkeypatch.setattr(fetching, "LIMITS", replace(Limits(), answer=1))
    web.faults[f"/one/mnist/{first_archive('mnist')}"] = [fault]
    assert same(data.load("mnist"), truth["mnist"])
    tally("a bad source beside a good one")


def test_certificates_that_cannot_be_had_are_no_full_disk(web, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/certificates")
    entry = REGISTRY["mnist"]
    monkeypatch.setitem(REGISTRY, "mnist", replace(entry, sources=("https://127.0.0.1:9/",)))
    with pytest.raises(DataError, match="REQUESTS_CA_BUNDLE"):
        data.fetch("mnist")
    monkeypatch.setitem(REGISTRY, "mnist", replace(entry, sources=("https://127.0.0.1:9/", *entry.sources)))
    assert not data.fetch("mnist").source.is_standin


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_holds_no_fetch_up(web, truth, code):
    """Nor does the lock's file, which the first one leaves."""
    with drive_without_locks(code):
        for _ in range(2):
            assert same(data.load("mnist"), truth["mnist"])
            REGISTRY["mnist"].files[0].unlink()


def test_a_damaged_file_is_named_and_set_aside_where_a_source_has_a_whole_one(web, truth, monkeypatch):
    data.load("mnist")
    entry, victim = REGISTRY["mnist"], REGISTRY["mnist"].files[-1]
    victim.write_bytes(victim.read_bytes()[:-1] + b"\x07")
    monkeypatch.setitem(REGISTRY, "mnist", replace(entry, sources=()))
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte is damaged.*cannot be made anew"):
        data.load("mnist")
    monkeypatch.setitem(REGISTRY, "mnist", entry)
    assert same(data.load("mnist"), truth["mnist"])
    assert victim.with_name(f"{victim.name}.damaged").read_bytes().endswith(b"\x07")


def test_a_word_that_means_nothing_permits_no_standin(web, monkeypatch):
    monkeypatch.setitem(REGISTRY, "mnist", replace(REGISTRY["mnist"], sources=()))
    monkeypatch.setenv("DLBOOK_STANDINS", "nevr")
    with pytest.raises(DataError, match="is 'never' or not set; 'nevr' means nothing"):
        data.load("mnist")


def test_a_word_that_means_nothing_is_told_where_the_data_are_there_too(web, monkeypatch):
    data.load("mnist")
    monkeypatch.setenv("DLBOOK_STANDINS", "nevr")
    with pytest.raises(DataError, match="is 'never' or not set; 'nevr' means nothing"):
        data.load("mnist")


@pytest.mark.parametrize("fault", LASTING)
def test_without_a_good_source_nothing_wrong_is_trusted(
    web, misbehave, pauses, truth, tally, fault, tmp_path
):
    paths = [f"/{mirror}/mnist/{first_archive('mnist')}" for mirror in ("one", "two")]
    for path in paths:
        misbehave(path, LASTING[fault])
    assert data.load("mnist").source.is_standin
    assert final_content(tmp_path / "data", "mnist") == {}
    for path in paths:
        del web.faults[path]
    assert same(data.load("mnist"), truth["mnist"])  # what the fault left behind does no harm
    tally("only bad sources, then good ones")


PASSING: dict[str, list[Fault]] = {
    "500 then success": [status(500), status(502), whole],
    "429 with Retry-After": [status(429, Retry_After="7"), whole],
    "redirect": [redirect("/one/", "/two/")],
    "stall, then resume": [stall, in_pieces],
    "cut four times": [cut, cut, cut, cut, in_pieces],
    "cut, then no ranges": [cut, whole],
    "hang up once": [hang_up, whole],
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", PASSING)
def test_one_source_is_enough_when_its_fault_passes(
    misbehave, pauses, truth, tally, monkeypatch, name, fault
):
    monkeypatch.setitem(REGISTRY, name, replace(REGISTRY[name], sources=REGISTRY[name].sources[:1]))
    misbehave(f"/one/{name}/{first_archive(name)}", PASSING[fault])
    assert same(data.load(name), truth[name])
    tally("a fault that passes")


def test_retry_after_is_honored(web, pauses):
    web.faults[f"/one/cifar10/{first_archive('cifar10')}"] = list(PASSING["429 with Retry-After"])
    data.load("cifar10")
    assert pauses == [7]


def test_pauses_grow_and_stay_short(web, pauses):
    web.faults[f"/one/cifar10/{first_archive('cifar10')}"] = [status(500)]
    data.load("cifar10")
    assert pauses == sorted(pauses)
    assert 1 < sum(pauses) < 30


def test_a_cut_download_is_continued_where_it_stopped(web, pauses, truth):
    file = first_archive("cifar10")
    web.faults[f"/one/cifar10/{file}"] = [cut, cut_without_ranges]
    assert same(data.load("cifar10"), truth["cifar10"])
    (first, _), (second, asked) = web.log[0], web.log[1]
    assert first == second
    assert asked == f"bytes={ENTRIES['cifar10'].archives[0].size // 2}-"


def test_a_later_process_continues_what_an_earlier_one_left(web, truth, tmp_path):
    left = tmp_path / "data" / ".cifar10" / f"{first_archive('cifar10')}.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(ARCHIVES["cifar10"][first_archive("cifar10")][:1000])
    assert same(data.load("cifar10"), truth["cifar10"])
    assert web.log == [(f"/one/cifar10/{first_archive('cifar10')}", "bytes=1000-")]
    assert not left.parent.exists()


@pytest.mark.parametrize("size", [1, 1000, 10**6])
def test_a_bad_part_of_an_earlier_process_does_no_harm(web, pauses, truth, tally, tmp_path, size):
    left = tmp_path / "data" / ".cifar10" / f"{first_archive('cifar10')}.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x" * size)
    assert same(data.load("cifar10"), truth["cifar10"])
    tally("a bad part left behind")


def test_a_trickle_is_left_for_a_faster_source(web, truth, tally, monkeypatch):
    monkeypatch.setattr(fetching, "LIMITS", replace(Limits(), grace=0, slowest=1e12))
    with pytest.raises(DataError, match="bytes a second"):
        data.fetch("cifar10")
    monkeypatch.setattr(fetching, "LIMITS", Limits())
    assert same(data.load("cifar10"), truth["cifar10"])
    tally("a trickle")


def test_a_proxy_of_the_environment_is_used(web, truth, tally, monkeypatch):
    monkeypatch.setenv("http_proxy", web.address)
    monkeypatch.setenv("no_proxy", "")
    nowhere = replace(REGISTRY["mnist"], sources=("http://the-real-host.invalid/one/mnist/",))
    monkeypatch.setitem(REGISTRY, "mnist", nowhere)
    for file, content in ARCHIVES["mnist"].items():
        web.files[f"http://the-real-host.invalid/one/mnist/{file}"] = content
    assert same(data.load("mnist"), truth["mnist"])
    tally("a proxy in the way")


def test_every_source_s_fault_is_told(web, pauses):
    for mirror, code in (("one", 403), ("two", 404)):
        web.faults[f"/{mirror}/cifar10/{first_archive('cifar10')}"] = [status(code)]
    with pytest.raises(DataError, match=r"one.*403.*two.*404"):
        data.fetch("cifar10")


def test_ctrl_c_leaves_nothing_that_is_trusted(web, truth, tally, monkeypatch, tmp_path):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("dlbook.data.fetching._Download._require_length", "dlbook.data.cache._save"):
        with monkeypatch.context() as patch:
            patch.setattr(step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                data.load("cifar10")
        assert final_content(tmp_path / "data", "cifar10") == {}
        tally("Ctrl-C")
    assert same(data.load("cifar10"), truth["cifar10"])
