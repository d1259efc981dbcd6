"""What a page leaves behind beside its outputs: its numbers, where they come from, and its files.

A page's cell writes it, the cache keeps it, and the site shows it: always as the records of this module. It
imports nothing heavy, as the site's build reads records too.
"""

import json
import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from dlbook.data.source import Source


@dataclass(frozen=True)
class Result:
    """A number over one or several runs, or a text.

    Attributes:
        values: one number a run, in the order of the seeds; or one text.
        seeds: of the runs; empty where chance had no part, or a number is no run.
        data: name of the data that it was measured on; None where it depends on none.
    """

    values: tuple[float | str, ...]
    seeds: tuple[int, ...] = ()
    data: str | None = None

    @property
    def numbers(self) -> tuple[float, ...]:
        """The values.

        Raises:
            ValueError: this result is a text.
        """
        numbers = tuple(value for value in self.values if not isinstance(value, str))
        if len(numbers) != len(self.values):
            raise ValueError(f"{self.values[0]!r} is a text, not a number")
        return numbers

    @property
    def n(self) -> int:
        """Number of values."""
        return len(self.values)

    @property
    def mean(self) -> float:
        """Arithmetic mean of the values; the value itself where there is one."""
        return self.numbers[0] if self.n == 1 else statistics.fmean(self.numbers)

    @property
    def std(self) -> float:
        """Sample standard deviation of the values; 0 for one value."""
        return statistics.stdev(self.numbers) if self.n > 1 else 0.0

    def show(self, form: str = "", part: str = "") -> str:
        """Return the result as prose shows it: the text, the number, or the mean ± the standard deviation.

        Args:
            form: a format as for `format`, such as ``.2%`` or ``,d``; one that ends in ``pp`` shows a
                difference of shares in percentage points. Without one, a number keeps up to six digits.
            part: ``mean``, ``std``, ``n``, ``min`` or ``max`` shows that alone.

        Raises:
            ValueError: the form does not suit the value, or there is no such part.
        """
        if part:
            return _shown(self._part(part), form)
        if self.n == 1:
            return _shown(self.values[0], form)
        unit = "%" if form.endswith("%") else " points" if form.endswith("pp") else ""
        spread = _shown(self.std, form.replace("+", ""))
        return f"{_shown(self.mean, form).removesuffix(unit)} ± {spread}"

    def _part(self, name: str) -> float:
        if name in ("min", "max"):
            return min(self.numbers) if name == "min" else max(self.numbers)
        if name in ("mean", "std", "n"):
            return getattr(self, name)
        raise ValueError(f"a result has a mean, std, n, min and max, but no {name}")


def _shown(value: float | str, form: str) -> str:
    if isinstance(value, str):
        return format(value, form)
    if form.endswith("pp"):
        return f"{_shown(100 * value, form.removesuffix('pp') + 'f')} points"
    if form.endswith("d"):
        value = int(value)
    text = format(value, form or ("d" if isinstance(value, int) else ".6g"))
    is_zero = not any(digit in text for digit in "123456789")
    return text.removeprefix("-") if is_zero and math.isfinite(value) else text


@dataclass(frozen=True)
class Provenance:
    """Where and when a page was computed.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        device_name: what it calls itself, such as ``NVIDIA H200``.
        matmul_precision: PyTorch's, for products of float32 matrices.
        torch: version of PyTorch.
        python: version of Python.
        commit: that the code was taken from; ``-dirty`` marks uncommitted changes.
        executed: time in UTC, as ISO 8601 has it.
        peak_gpu_memory: the most that tensors took on the GPU at once, in bytes; 0 on other devices.
        data: the sources of all data that were loaded.
        seconds: of wall-clock time, for all cells.
        peak_memory: the most that the page's process held at once in the machine's memory, in bytes, maps of
            files not counted; 0 where nobody measured it.
    """

    device: str
    device_name: str
    matmul_precision: str
    torch: str
    python: str
    commit: str
    executed: str
    peak_gpu_memory: int
    data: tuple[Source, ...]
    seconds: float = 0.0
    peak_memory: int = 0

    @property
    def minutes(self) -> float:
        """Wall-clock time, for all cells."""
        return self.seconds / 60

    @property
    def is_standin(self) -> bool:
        """True where any of the data were a stand-in."""
        return any(source.is_standin for source in self.data)


@dataclass(frozen=True)
class SavedFile:
    """A file that a page saved for others.

    Attributes:
        file: its name, such as ``network.safetensors``.
        sha256: its checksum.
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Record:
    """All that a page leaves behind beside its outputs.

    Attributes:
        results: by name.
        provenance: of all of them.
        files: by the name that the page gave them.
    """

    results: Mapping[str, Result]
    provenance: Provenance
    files: Mapping[str, SavedFile]

    def took(self, seconds: float, peak_memory: int) -> "Record":
        """Return the record with what the page took: seconds, and bytes of memory."""
        taken = replace(self.provenance, seconds=seconds, peak_memory=peak_memory)
        return replace(self, provenance=taken)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; each number with its mean, spread and count beside it."""
        results = {name: asdict(result) | _summary(result) for name, result in self.results.items()}
        return asdict(self) | {"results": results}

    def to_json(self) -> str:
        """Return the record as JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Record":
        """Return the record that `as_dict` gave.

        Raises:
            ValueError: the content is not one of a record.
        """
        try:
            provenance = dict(content["provenance"])
            provenance["data"] = tuple(Source(**source) for source in provenance["data"])
            results = {name: _result(said) for name, said in content["results"].items()}
            files = {name: SavedFile(**said) for name, said in content["files"].items()}
            record = cls(results, Provenance(**provenance), files)
            _require_types(record)
            return record
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a page's record: {error!r}") from error

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """Return the record that `to_json` gave; errors as for `from_dict`."""
        return cls.from_dict(json.loads(text))


def _summary(result: Result) -> dict[str, float]:
    """Return what readers of the JSON would compute first; nothing for a text."""
    if isinstance(result.values[0], str):
        return {"n": result.n}
    return {"mean": result.mean, "std": result.std, "n": result.n}


def _result(said: Mapping[str, Any]) -> Result:
    result = Result(tuple(said["values"]), tuple(said["seeds"]), said["data"])
    if not result.values or not all(isinstance(value, int | float | str) for value in result.values):
        raise ValueError(f"not the values of a result: {result.values}")
    return result


def _require_types(record: Record) -> None:
    """Raise a ValueError where a field holds what it is not for: JSON of others may hold anything."""
    parts: list[Provenance | Source | SavedFile] = [*record.provenance.data, *record.files.values()]
    for part in (record.provenance, *parts):
        for field in fields(part):
            value, kind = getattr(part, field.name), field.type
            is_right = isinstance(value, kind) if isinstance(kind, type) else True
            if not is_right and not (kind is float and isinstance(value, int)):
                raise ValueError(f"not a page's record: {field.name} is {value!r}")
