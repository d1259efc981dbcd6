"""``python -m dlbook.data``: see, fetch, verify and remove the book's data sets."""

import argparse
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from dlbook.data import cache
from dlbook.data.dataset import DataError, checksum
from dlbook.data.loading import fetch
from dlbook.data.mnist import require_checksum
from dlbook.data.registry import ORIGIN, REGISTRY, Entry, home, is_present, photo_listing, state
from dlbook.data.weights import fetch_weights


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Returns:
        0; or 1 where a data set cannot be had, is damaged, or is not there. A wrong command line exits
        with 2.
    """
    chosen = _parser().parse_args(arguments)
    if chosen.command is None:
        print(_table())
        return 0
    if chosen.command == "fetch" and bool(chosen.names) == chosen.all:
        _parser().error("fetch: say which, or --all")
    names = chosen.names or [name for name in REGISTRY if chosen.command == "fetch" or is_present(name)]
    outcomes = [_run(chosen.command, name) for name in names]
    return 0 if all(outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dlbook.data", description=_table.__doc__)
    commands = parser.add_subparsers(dest="command")
    for command, (_, description) in _COMMANDS.items():
        added = commands.add_parser(command, help=description, description=description)
        several = "*" if command in ("fetch", "verify") else "+"
        added.add_argument("names", nargs=several, type=_name, metavar="NAME")
        if command == "fetch":
            added.add_argument("--all", action="store_true", help="every data set and the weights")
    return parser


def _name(text: str) -> str:
    if text not in REGISTRY:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(REGISTRY)}")
    return text


def _run(command: str, name: str) -> bool:
    action, _ = _COMMANDS[command]
    try:
        print(action(name), flush=True)
    except (DataError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    return True


def _table() -> str:
    """List the book's data sets: what is on this machine, how large, and where."""
    rows = [("NAME", "STATE", "SIZE", "WHERE")]
    for name, entry in REGISTRY.items():
        if is_present(name):
            size = sum(path.stat().st_size for path in _files(name))
            rows.append((name, state(name).split()[0], _megabytes(size), str(location(name))))
        else:
            size = sum(archive.size for archive in entry.archives)
            rows.append((name, "missing", f"{_megabytes(size)} to fetch", entry.sources[0]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _fetch(name: str) -> str:
    if not REGISTRY[name].shape:
        fetch_weights(name)
        return _verify(name)
    return f"{name}: {fetch(name)}"


def _verify(name: str) -> str:
    _require_present(name)
    entry = REGISTRY[name]
    for file, sha256 in entry.files.items():
        require_checksum(home(name) / file, sha256)
    if not entry.files and cache.exists(name, home(name)):
        _verify_cache(name, entry)
    return f"{name}: whole, {state(name).split()[0]}"


def _verify_cache(name: str, entry: Entry) -> None:
    content = cache.read(name, home(name))
    if content.sha256 and content.sha256 != checksum(content.train, content.test):
        raise DataError(f"{location(name)} is damaged: its SHA-256 is not the one that was written down")
    listing = photo_listing(location(name), entry.classes)
    if listing not in (None, content.source_sha256):
        raise DataError(f"{location(name)}: photographs were added or removed; fetch {name} reads them again")


def _path(name: str) -> str:
    _require_present(name)
    return str(location(name))


def _remove(name: str) -> str:
    _require_present(name)
    kept = []
    for path in _files(name):
        path.unlink()
    if (location(name) / ORIGIN).exists():
        shutil.rmtree(location(name))
    elif location(name).is_dir():
        kept = [str(path) for path in location(name).iterdir()]
    return f"{name}: removed" + (f"; kept, as dlbook did not bring them: {', '.join(kept)}" if kept else "")


def location(name: str) -> Path:
    """Return the folder that a data set lies in, or the file of weights."""
    first = home(name) / REGISTRY[name].layouts[0][0]
    return first.parent if REGISTRY[name].shape else first


def _files(name: str) -> Iterable[Path]:
    """Return the files that `dlbook` brought or made, and that are there."""
    paths = (home(name) / path for path in REGISTRY[name].layouts[0])
    return [path for path in paths if path.is_file()]


def _require_present(name: str) -> None:
    if not is_present(name):
        raise DataError(f"not on this machine; `python -m dlbook.data fetch {name}` brings it")


_COMMANDS = {
    "fetch": (_fetch, "bring data sets to this machine"),
    "verify": (_verify, "check every byte of what is here; all of it, where none is named"),
    "path": (_path, "print where a data set lies"),
    "remove": (_remove, "remove what fetch brought"),
}

if __name__ == "__main__":
    sys.exit(main())
