"""Inside a kernel: what kind of work its cells do, seen by looking at the call stack time and again.

A page's kernel imports this module, so it imports nothing but Python's own.
"""

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from types import FrameType

INTERVAL = 0.01
# Kind → parts of the paths of files whose code does that; behind a colon, the only function that counts. The
# innermost call that is listed decides: a batch that is cut while a network trains is data.
KINDS = {
    "training": (
        "/dlbook/training.py:train_epoch",
        "/dlbook/training.py:fit",
        "/torch/autograd/",
        "/torch/optim/",
    ),
    "evaluation": (
        "/dlbook/training.py:_answers",
        "/dlbook/training.py:_validate",
        "/dlbook/training.py:outputs",
        "/dlbook/ensemble.py:scores",
        "/dlbook/transfer.py:compute_features",
        "/dlbook/metrics.py",
    ),
    "data": ("/dlbook/data/", "/dlbook/transfer.py:resized", "/torchvision/transforms/"),
    "figures": ("/matplotlib/", "/matplotlib_inline/", "/dlbook/visualize/"),
}
# Wherever it stands in the stack: a module that is being imported runs its own code.
IMPORTS, IMPORTING = "imports", "<frozen importlib._bootstrap>"
# What is left: a network that the page's own code runs, and everything else.
NETWORKS, NETWORK_FILES, OTHER = "networks", "/torch/nn/modules/", "other"


def kind_of(frame: FrameType | None) -> str:
    """Return the kind of work that a call does, by its place in the code and by what it was called from."""
    found = ""
    runs_network = False
    for path, function in _calls(frame):
        if path == IMPORTING:
            return IMPORTS
        runs_network = runs_network or NETWORK_FILES in path
        found = found or _listed(path, function)
    return found or (NETWORKS if runs_network else OTHER)


def _calls(frame: FrameType | None) -> Iterator[tuple[str, str]]:
    """Yield file and function of each call, the innermost first."""
    while frame:
        yield frame.f_code.co_filename.replace("\\", "/"), frame.f_code.co_name
        frame = frame.f_back


def _listed(path: str, function: str) -> str:
    for kind, places in KINDS.items():
        for place in places:
            part, _, name = place.partition(":")
            if part in path and name in ("", function):
                return kind
    return ""


class Sampler:
    """Counts the seconds of each kind of work in the thread that runs a kernel's cells."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self.counts = False
        threading.Thread(target=self._sample, daemon=True).start()

    def begin(self, *_: object) -> None:
        """Start counting anew: a cell begins."""
        self._seconds = defaultdict(float)
        self.counts = True

    def end(self) -> dict[str, float]:
        """Stop counting, and return kind → seconds of the cell that ends."""
        self.counts = False
        return dict(self._seconds)

    def _sample(self) -> None:
        last = time.perf_counter()
        while True:
            time.sleep(INTERVAL)
            # As long as since the last look: Python lets this thread wait while others hold its lock.
            now = time.perf_counter()
            if self.counts:
                self._seconds[kind_of(sys._current_frames().get(self._thread))] += now - last
            last = now


def start(path: str) -> None:
    """Write a line of JSON for every cell that this kernel runs from now on: kind → seconds."""
    from IPython import get_ipython

    sampler, events = Sampler(), get_ipython().events

    def write(*_: object) -> None:
        if not sampler.counts:  # behind the line that calls this
            return
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps(sampler.end())}\n")

    events.register("pre_run_cell", sampler.begin)
    events.register("post_run_cell", write)
