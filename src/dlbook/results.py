"""A page's numbers: handed over by its cells, shown by its prose, and kept with the page's outputs.

A cell hands plain values over. How to show them is said where they are shown, in the prose: the role
``{result}`name:.2%``` does that. What they must reach is said in the page's front matter, under ``promises``.
"""

import datetime
import math
import os
import platform
from collections.abc import Iterable
from typing import Any, Protocol

import torch

from dlbook import pages, runtime
from dlbook.data.source import Source, loaded
from dlbook.record import Provenance, Record, Result

_reported: dict[str, Result] = {}


class HasSource(Protocol):
    """What knows where it comes from, such as a data set."""

    @property
    def source(self) -> Source:
        """Where it comes from."""
        ...


def report(
    measured_on: HasSource | Source | None = None, /, *, seeds: Iterable[int] = (), **values: Any
) -> None:
    """Hand numbers over to the page's prose and to the book's list of results.

    Args:
        measured_on: the data that the values depend on; left out where they depend on none.
        seeds: of the runs, where the values come from several; they are the same for all of this call.
        values: name → a number, a list (or array, or tensor) of one number a run, or a text.

    Raises:
        ValueError: a value is not finite or there is none; values and seeds differ in number; or, while the
            book is built, a name was reported before.
    """
    source = measured_on if isinstance(measured_on, Source | None) else measured_on.source
    for name, value in values.items():
        result = Result(_plain(name, value), tuple(seeds), source.name if source else None)
        if result.seeds and len(result.seeds) != result.n:
            raise ValueError(f"{name}: {result.n} values, but {len(result.seeds)} seeds")
        if name in _reported and pages.is_built():
            raise ValueError(f"{name} was reported before: a page has one number of each name")
        _reported[name] = result


def _plain(name: str, value: Any) -> tuple[float | str, ...]:
    """Return a value as numbers of Python's, or as one text."""
    if isinstance(value, str):
        return (value,)
    value = value.tolist() if hasattr(value, "tolist") else value
    several = tuple(value) if isinstance(value, Iterable) else (value,)
    numbers = tuple(each.item() if hasattr(each, "item") else each for each in several)
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{name}: a result needs finite numbers, not {list(numbers)}")
    return numbers


def shown(value: Any, form: str) -> str:
    """Return a number, or the mean ± the standard deviation of several, as the prose would show it.

    Args:
        value: as for `report`.
        form: as in ``{result}`name:.2%```, without the name.
    """
    return Result(_plain("value", value)).show(form)


def record() -> Record:
    """Return what this process leaves behind: its results so far, where they come from, and its files."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    provenance = Provenance(
        device=(device := runtime.current().device).type,
        device_name=runtime.device_name(device),
        matmul_precision=torch.get_float32_matmul_precision(),
        torch=torch.__version__,
        python=platform.python_version(),
        commit=runtime.commit(),
        executed=now,
        peak_gpu_memory=runtime.peak_gpu_memory(),
        data=loaded(),
    )
    return Record(dict(_reported), provenance, pages.saved())


def write(path: str | os.PathLike[str]) -> None:
    """Write `record` as JSON; the build calls this after a page's last cell."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(record().to_json())
