"""Where data come from, which of them were loaded so far, and what it is called when they are not to be had.

The site's build imports this module, so it imports nothing heavy.
"""

from dataclasses import dataclass


class DataError(Exception):
    """Data are missing, damaged or of the wrong kind; the message says which, and what to do."""


class NoSource(Exception):  # noqa: N818 - what happened, to be handled; not an error of the program
    """No source delivered; the message says what each of them did."""


@dataclass(frozen=True)
class Source:
    """Where a data set came from.

    Attributes:
        name: the data set's registered name, such as ``"mnist"``.
        description: one sentence for the reader.
        is_standin: True where small data from installed packages stand in for the real ones.
        sha256: checksum of the pixels and labels that were loaded.
        license: under which terms they may be used.
    """

    name: str
    description: str
    is_standin: bool
    sha256: str
    license: str


_loaded: dict[Source, None] = {}  # a set that keeps its order


def note(source: Source) -> None:
    """Remember that this process works with data from ``source``."""
    _loaded[source] = None


def loaded() -> tuple[Source, ...]:
    """Return the sources of what this process has loaded, each once, in the order of their first loads."""
    return tuple(_loaded)
