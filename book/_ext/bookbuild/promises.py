"""What a page promises: bounds that its numbers must keep, in its front matter, checked by the build.

    promises:
      test_accuracy: {at_least: 0.986}
      parameters: {equals: 669706}
      learned_error: {at_most: classical_error}
      large_accuracy: {at_least: 0.88, optional: true}

A bound may be the name of another result of the same page. An optional result may be absent, as where the
weights for it cannot be had.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlbook.record import Record, Result


class PromiseError(Exception):
    """A promise is not written as one; the message names it."""


@dataclass(frozen=True)
class Promise:
    """Bounds on the mean of a result: numbers, or the names of other results of the same page.

    Attributes:
        name: of the result.
        at_least: lower bound.
        at_most: upper bound.
        form: how to show the numbers, as for `format`; empty: as the prose shows them.
        is_optional: whether the page may leave the result out, as where something cannot be had.
    """

    name: str
    at_least: float | str | None = None
    at_most: float | str | None = None
    form: str = ""
    is_optional: bool = False

    def bounds(self, record: Record) -> tuple[float | None, float | None]:
        """Return the lower and the upper bound as numbers."""
        low, high = (_number(bound, record) for bound in (self.at_least, self.at_most))
        return low, high

    def is_judged(self, record: Record) -> bool:
        """Tell whether the promise applies: what is absent, or was measured on a stand-in, is not judged."""
        result = record.results.get(self.name)
        if result is None:
            return False
        if result.data is None:
            return not record.provenance.is_standin
        return not any(source.is_standin for source in record.provenance.data if source.name == result.data)

    def is_kept(self, record: Record) -> bool:
        """Tell whether the mean of the result lies within the bounds."""
        low, high = self.bounds(record)
        mean = record.results[self.name].mean
        return (low is None or mean >= low) and (high is None or mean <= high)

    def words(self, record: Record, form: str = "") -> str:
        """Return the bounds as text, such as ``≥ 98.6%``; a bound that is a result has its name beside it."""
        low, high = self.bounds(record)
        if low is not None and low == high:
            return f"= {_bound(self.at_least, low, form)}"
        pairs = (("≥", self.at_least, low), ("≤", self.at_most, high))
        return ", ".join(f"{sign} {_bound(said, n, form)}" for sign, said, n in pairs if n is not None)


def _bound(said: float | str | None, number: float, form: str) -> str:
    text = Result((number,)).show(form)
    return f"{text} ({said.replace('_', ' ')})" if isinstance(said, str) else text


def _number(bound: float | str | None, record: Record) -> float | None:
    return record.results[bound].mean if isinstance(bound, str) else bound


def promises_of(docname: str, said: Any) -> dict[str, Promise]:
    """Return the promises that a page's front matter makes, by the name of the result.

    Raises:
        PromiseError: they are not written as above.
    """
    if not isinstance(said, Mapping):
        raise PromiseError(f"{docname}: promises are a mapping from results to bounds")
    return {name: _promise(docname, name, bounds) for name, bounds in said.items()}


def _promise(docname: str, name: str, bounds: Any) -> Promise:
    needed, known = {"at_least", "at_most", "equals"}, {"form", "optional"}
    if not isinstance(bounds, Mapping) or not bounds.keys() & needed or bounds.keys() - needed - known:
        raise PromiseError(f"{docname}: the promise of {name} needs at_least, at_most or equals: {bounds!r}")
    equal = bounds.get("equals")
    low, high = _read(bounds.get("at_least", equal)), _read(bounds.get("at_most", equal))
    if not all(isinstance(bound, int | float | str | None) for bound in (low, high)):
        raise PromiseError(f"{docname}: a bound of {name} is a number, or the name of a result: {bounds!r}")
    optional = bounds.get("optional", False)
    if not isinstance(optional, bool):
        raise PromiseError(f"{docname}: whether {name} is optional is true or false, not {optional!r}")
    return Promise(name, low, high, bounds.get("form", ""), optional)


def _read(bound: Any) -> Any:
    """Return a bound; YAML takes ``1e-6``, without a point, for a text."""
    try:
        return float(bound) if isinstance(bound, str) else bound
    except ValueError:
        return bound


def broken(promises: Mapping[str, Promise], record: Record) -> Iterator[str]:
    """Yield what is wrong with a page's promises: a sentence for each that is broken, or about nothing."""
    for promise in promises.values():
        named = {bound for bound in (promise.at_least, promise.at_most) if isinstance(bound, str)}
        if not promise.is_optional:
            named.add(promise.name)
        if missing := sorted(named - record.results.keys()):
            yield f"it promises {promise.name}, but no cell reports {', '.join(missing)}"
        elif promise.is_judged(record) and not promise.is_kept(record):
            result = record.results[promise.name]
            form = promise.form or ".6g"
            yield (
                f"{promise.name} is {result.show(form)} (n = {result.n}); "
                f"promised: {promise.words(record, form)}. The promise is broken"
            )
