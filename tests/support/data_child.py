"""What a child process does in the tests of faults; it imports no more than that, as a hundred start."""

import os
import resource
from multiprocessing.synchronize import Event
from pathlib import Path

import torch

from dlbook import data
from dlbook.data import DataError
from dlbook.data.entries import Entry
from dlbook.data.registry import REGISTRY


def load_in_child(
    begun: Event, directory: str, found: dict[str, Entry], name: str, report: str, limit: int
) -> None:
    """Load a data set as a fresh process would, and write down what came of it."""
    torch.set_num_threads(1)
    REGISTRY.update(found)  # type: ignore[attr-defined]
    os.environ |= {"DLBOOK_DATA": directory, "TQDM_DISABLE": "1"}
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    begun.set()
    try:
        source = data.load(name).source
        said = "stand-in" if source.is_standin else source.sha256
    except (DataError, KeyboardInterrupt) as error:
        said = repr(error)
    if report:
        Path(report).write_bytes(said.encode()[: limit or None])
