"""A GPU for machines that have none: computes on the CPU, and refuses what a GPU would refuse.

A tensor that is moved to ``cuda``, or made there, is marked, and so is what comes out of an operation with
it. Where it meets a tensor of the CPU, the operation fails as on a real GPU. So a page or a function that
mixes devices is found without one. Speed, memory, rounding, and operations that a GPU lacks are not imitated.

From the command line, it executes the cells of pages one after another, on whatever data are there. A page
that loads the files of another comes behind it::

    python tests/support/fake_device.py cnn/mnist-mlp cnn/mnist-mlp-calibration
"""

import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import jupytext
import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from dlbook import pages, runtime

CUDA = torch.device("cuda", 0)
BOOK = Path(__file__).parents[2] / "book"
# What PyTorch takes tensors of two devices for; the answer lies where the first one is, or the last.
TO_FIRST, TO_LAST = {"copy_", "__setitem__"}, {"to", "type_as"}
QUESTIONS = {"_parse_to", "_has_compatible_shallow_copy_type"}  # of a module that is moved
READERS = {"numpy", "__array__"}  # only of the CPU
_MARK = "_is_on_fake_cuda"


class FakeCuda(TorchFunctionMode):
    """While it is active, PyTorch seems to have a device ``cuda``."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU, and mark the answer with the device where it would lie."""
        kwargs = kwargs or {}
        name = func.__name__
        if name in QUESTIONS:
            return func(*args, **kwargs)
        if name in ("__get__", "__set__"):  # of an attribute, whose name its owner has
            name = f"{func.__self__.__name__}.{name}"
        if name == "device.__get__" and is_there(args[0]):
            return CUDA
        if name == "is_cuda.__get__":
            return is_there(args[0])
        target, args, kwargs = _on_cpu(args, kwargs)
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        there = any(map(is_there, tensors))
        if target or name == "cpu":
            there = target is not None and target.type == "cuda"
        elif name in TO_FIRST | TO_LAST:
            there = is_there(tensors[-1 if name in TO_LAST else 0])
        elif name == "data.__set__":
            setattr(args[0], _MARK, is_there(args[1]))
        else:
            _require_one_device(name, tensors)
        if there and name in READERS:
            raise TypeError("can't convert cuda:0 device type tensor to numpy; call .cpu() first")
        if there and isinstance(kwargs.get("generator"), torch.Generator):
            raise RuntimeError(f"{name}: expected a 'cuda' device type for generator but found 'cpu'")
        out = func(*args, **kwargs)
        if any(out is tensor and is_there(tensor) != there for tensor in tensors):
            out = out.clone()  # what was moved stays where it was, too
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                setattr(leaf, _MARK, there)
        return out


def is_there(tensor: Tensor) -> bool:
    """Tell whether a tensor lies on the fake device. In a `vmap`, that of which it is a slice may say so."""
    while not getattr(tensor, _MARK, False):
        if not torch._C._functorch.is_batchedtensor(tensor):
            return False
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return True


def _on_cpu(args: Any, kwargs: dict[str, Any]) -> tuple[torch.device | None, Any, dict[str, Any]]:
    """Return the device that a call names, and its arguments with the CPU in its place."""
    named: list[torch.device] = []

    def real(value: Any) -> Any:
        if isinstance(value, torch.device) or (
            isinstance(value, str) and value.split(":")[0] in ("cuda", "cpu")
        ):
            named.append(torch.device(value))
            return torch.device("cpu")
        return value

    args = tuple(map(real, args))
    kwargs = {key: real(value) for key, value in kwargs.items()}
    return (named[0] if named else None), args, kwargs


def _require_one_device(name: str, tensors: list[Tensor]) -> None:
    """Raise where tensors of both devices meet; a single number of the CPU may go anywhere."""
    if name == "__getitem__" and is_there(tensors[0]):
        return  # places may lie on the CPU
    if len({is_there(tensor) for tensor in tensors if tensor.dim() or is_there(tensor)}) > 1:
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, found cuda:0 and cpu")


def _unseen(function: Callable[..., Tensor], place: int) -> Callable[..., Tensor]:
    """Wrap a function that no mode sees: its answer lies where its argument at this place does."""

    def marked(*arguments: Any) -> Tensor:
        out = function(*arguments)
        setattr(out, _MARK, is_there(arguments[place]))
        return out

    return marked


@contextlib.contextmanager
def fake_cuda() -> Iterator[None]:
    """Let `dlbook.runtime` choose the fake device."""
    chosen = runtime.Runtime(torch.device("cuda"), "cuda, because it is imitated")
    with (
        mock.patch.object(runtime, "current", return_value=chosen),
        mock.patch.object(runtime, "has_bfloat16", return_value=False),
        mock.patch.object(runtime, "device_name", return_value="an imitated GPU"),
        mock.patch("torch.Tensor._make_subclass", _unseen(torch.Tensor._make_subclass, 1)),
        mock.patch(
            "torch._functorch.vmap._remove_batch_dim", _unseen(torch._C._functorch._remove_batch_dim, 0)
        ),
        FakeCuda(),
    ):
        yield


def execute(page: str, files: Path) -> dict[str, tuple[str, str]]:
    """Execute a page's cells on the fake device; return path and checksum of what it saved, by name."""
    (files / page).mkdir(parents=True)
    os.environ[pages.SAVES] = str(files / page)
    notebook = jupytext.read(BOOK / f"{page}.md")
    names: dict[str, Any] = {"__name__": "__main__"}
    with fake_cuda():
        for number, cell in enumerate(notebook.cells, start=1):
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{page}, cell {number}", "exec"), names)
                plt.close("all")  # as after a cell of a notebook
    return {name: (str(files / page / file.file), file.sha256) for name, file in pages.saved().items()}


def execute_in_turn(names: Sequence[str], files: Path) -> Iterator[str]:
    """Execute pages, each in a process of its own; yield the name of each that ended well."""
    saved: dict[str, dict[str, tuple[str, str]]] = {}
    for name in names:
        os.environ[pages.LOADS] = json.dumps(saved)
        with multiprocessing.get_context("fork").Pool(1) as process:
            saved[name] = process.apply(execute, (name, files))
        yield name


if __name__ == "__main__":
    os.environ |= {"MPLBACKEND": "Agg", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        for name in execute_in_turn(sys.argv[1:], Path(folder)):
            print(f"{name}: no device is mixed", flush=True)
