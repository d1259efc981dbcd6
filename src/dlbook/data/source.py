"""Where data come from: what a page says of them, and what stays with every number measured on them."""

from dataclasses import dataclass


class DataError(Exception):
    """Data are missing, damaged or of the wrong kind; the message says which, and what to do."""


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


_loaded: dict[tuple[str, str], Source] = {}


def note(source: Source) -> Source:
    """Remember that this process loaded data, and return their source."""
    _loaded[source.name, source.sha256] = source
    return source


def loaded() -> tuple[Source, ...]:
    """Return the sources of all data that this process has loaded, each once, the first one first."""
    return tuple(_loaded.values())
