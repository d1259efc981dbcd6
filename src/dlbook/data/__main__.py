"""``python -m dlbook.data``: see, fetch, verify and remove the book's data sets."""

import argparse
import os
import sys
from collections.abc import Sequence

from dlbook.data.entries import Entry
from dlbook.data.registry import REGISTRY
from dlbook.data.source import DataError

# So many files that are kept are named; beyond that, a number says enough.
_NAMED = 10


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
    names = chosen.names or [
        name for name in REGISTRY if chosen.command == "fetch" or REGISTRY[name].is_present()
    ]
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
        print(action(REGISTRY[name]), flush=True)
    except (DataError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    return True


def _table() -> str:
    """List the book's data sets: what is on this machine, how large, and where."""
    rows = [("NAME", "STATE", "SIZE", "WHERE"), *map(_row, REGISTRY.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(entry: Entry) -> tuple[str, str, str, str]:
    if not entry.is_present():
        size = sum(archive.size for archive in entry.archives)
        return entry.name, "missing", f"{_megabytes(size)} to fetch", entry.sources[0]
    return entry.name, _kind_of_state(entry), _megabytes(entry.size), str(entry.location)


def _kind_of_state(entry: Entry) -> str:
    return entry.state().split()[0]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _fetch(entry: Entry) -> str:
    return f"{entry.name}: {entry.bring()}"


def _verify(entry: Entry) -> str:
    entry.require_present()
    entry.verify()
    return f"{entry.name}: whole, {_kind_of_state(entry)}"


def _path(entry: Entry) -> str:
    entry.require_present()
    return str(entry.location)


def _remove(entry: Entry) -> str:
    if not entry.is_begun():
        entry.require_present()
    kept = [os.fsencode(path).decode(errors="replace") for path in entry.remove()]
    if not kept:
        return f"{entry.name}: removed"
    more = f" and {len(kept) - _NAMED} more" if len(kept) > _NAMED else ""
    return (
        f"{entry.name}: removed; kept, as dlbook did not bring it as it is: {', '.join(kept[:_NAMED])}{more}"
    )


_COMMANDS = {
    "fetch": (_fetch, "bring data sets to this machine"),
    "verify": (_verify, "check every byte of what is here; all of it, where none is named"),
    "path": (_path, "print where a data set lies"),
    "remove": (_remove, "remove what fetch brought"),
}

if __name__ == "__main__":
    sys.exit(main())
