"""A chapter's numbers: quoted in its prose, kept with their provenance, held to their floors.

They travel inside the executed notebook (see `dlbook.glue`), so they survive caching like any other
output.
"""

import datetime
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dlbook import runtime
from dlbook.data.source import Source
from dlbook.glue import FLOOR_PREFIX, RESULT_PREFIX, glue_json, glue_text


class FloorError(AssertionError):
    """A result fell below the floor that its chapter promises."""


@dataclass(frozen=True)
class Result:
    """A measured number, over one or several runs.

    Attributes:
        name: its key in results.json, such as ``test_accuracy``.
        values: one entry a run, in seed order.
        spec: format of the displayed number, as for `format`, such as ``.2%`` or ``,d``.
        source: the data that it was measured on.
    """

    name: str
    values: tuple[float, ...]
    spec: str
    source: Source

    @property
    def mean(self) -> float:
        """Arithmetic mean of the values."""
        return statistics.fmean(self.values)

    @property
    def std(self) -> float:
        """Sample standard deviation of the values; 0 for one value."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0

    def __str__(self) -> str:
        if len(self.values) == 1:
            return format(self.values[0], self.spec)
        return f"{format(self.mean, self.spec).removesuffix('%')} ± {format(self.std, self.spec)}"

    def __repr__(self) -> str:
        runs = f" (n = {len(self.values)})" if len(self.values) > 1 else ""
        return f"{self.name}: {self}{runs}"


def quote(name: str, value: float | str, spec: str = "") -> None:
    """Keep a number for the prose, which shows it with ``{glue:text}`name```.

    Args:
        name: unique in the chapter.
        value: the number, or a text.
        spec: how to show it, as for `format`.
    """
    glue_text(name, format(value, spec))


def record(
    name: str,
    values: float | Sequence[float],
    spec: str,
    source: Source,
    *,
    seeds: Sequence[int] = (),
    seconds: float | None = None,
) -> Result:
    """Keep a headline number with its provenance, for the prose and for the book's Results page.

    Args:
        name: its key in results.json.
        values: one number, or one for each seed.
        spec: how to show it, as for `format`.
        source: the data that it was measured on.
        seeds: the seeds of the runs, in the order of the values.
        seconds: how long the measured work took, where that matters.

    Returns:
        The result, to be held to a floor with `require`.

    Raises:
        ValueError: there is no value, a value is not finite, or seeds and values differ in number.
    """
    several = tuple(values) if isinstance(values, Sequence) else (values,)
    if not several or not all(math.isfinite(value) for value in several):
        raise ValueError(f"{name}: a result needs finite numbers, not {list(several)}")
    if seeds and len(seeds) != len(several):
        raise ValueError(f"{name}: {len(several)} values, but {len(seeds)} seeds")
    result = Result(name, several, spec, source)
    content = {
        "mean": result.mean,
        "std": result.std,
        "n": len(several),
        "text": str(result),
        "spec": spec,
        "seeds": list(seeds),
        "seconds": seconds,
        "provenance": provenance(source),
    }
    glue_text(name, str(result))
    glue_json(RESULT_PREFIX + name, content)
    return result


def provenance(source: Source) -> dict[str, Any]:
    """Return where a number comes from: machine, versions, commit, data, time (UTC), peak memory (bytes)."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    so_far = {"data": asdict(source), "executed": now, "peak_memory": runtime.peak_memory()}
    return runtime.describe() | so_far


def require(result: Result, *, at_least: float | None = None, at_most: float | None = None) -> str:
    """Hold a result's mean to its floor, and say so; a stand-in's results are shown, not judged.

    Args:
        result: as `record` returned it.
        at_least: the mean must not be below this.
        at_most: the mean must not be above this.

    Returns:
        A sentence with the result and the floor.

    Raises:
        FloorError: the mean lies outside; the build of the chapter fails with it.
        ValueError: neither bound was given.
    """
    if at_least is None and at_most is None:
        raise ValueError("give at_least or at_most")
    floors = [
        f"{word} {format(bound, result.spec)}"
        for word, bound in (("at least", at_least), ("at most", at_most))
        if bound is not None
    ]
    promised = f"{result!r}; promised: {' and '.join(floors)}"
    if result.source.is_standin:
        return f"{promised}. Not judged: measured on a stand-in."
    low, high = at_least if at_least is not None else -math.inf, at_most if at_most is not None else math.inf
    if not low <= result.mean <= high:
        raise FloorError(f"{promised}. The promise is broken.")
    glue_json(FLOOR_PREFIX + result.name, {"at_least": at_least, "at_most": at_most})
    return f"{promised}. Held."
