"""A progress bar for whoever waits: in a live notebook or a terminal, and never in a page of the book."""

import os
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm.auto import tqdm

T = TypeVar("T")


def bar(steps: Iterable[T], **options: Any) -> "tqdm[T]":
    """Return the steps with a progress bar, in a live notebook or a terminal.

    Building the book sets ``TQDM_DISABLE``, and no page shows a trace of a bar. tqdm itself heeds that
    variable in a terminal, but not in a notebook.

    Args:
        steps: what to iterate over.
        options: as for ``tqdm``, such as ``desc`` and ``unit``.
    """
    hidden = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(steps, leave=False, disable=hidden, **options)
