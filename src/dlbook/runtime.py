"""Where and how the book computes: device and precision, seeds, and what machine this is."""

import ctypes
import functools
import importlib.metadata
import json
import os
import platform
import random
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

# Values of ONEDNN_MAX_CPU_ISA with which bfloat16 is imitated.
WITHOUT_BFLOAT16 = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"}


@dataclass(frozen=True)
class Runtime:
    """The device that tensors live on, and why it was chosen.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        reason: one sentence for the reader.
    """

    device: torch.device
    reason: str


def choose_device(requested: str | None = None) -> Runtime:
    """Choose where to compute: what was asked for, else a GPU, else the CPU.

    Args:
        requested: ``"cpu"``, ``"cuda"`` or ``"mps"``; None chooses the best that is there.

    Raises:
        ValueError: the name is unknown, or this machine has no such device.
    """
    finders: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
    }
    if requested is not None and requested not in finders:
        raise ValueError(f"unknown device {requested!r}: choose one of {', '.join(finders)}")
    # PyTorch warns of a driver that is too old, for example; what is not asked for is not looked for.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = next((kind for kind in ([requested] if requested else finders) if finders[kind]()), None)
    said = "".join(f" ({warning.message})" for warning in told)
    if found is None:
        raise ValueError(
            f"device {requested!r} was asked for, but PyTorch does not find it on this machine{said}"
        )
    if requested:
        return Runtime(torch.device(found), f"{found}, because it was asked for")
    why = f"no GPU was found{said}" if found == "cpu" else "it is the fastest device here"
    return Runtime(torch.device(found), f"{found}, because {why}")


@functools.cache
def current() -> Runtime:
    """Return this process's device, chosen once; the variable ``DLBOOK_DEVICE`` overrides the choice.

    PyTorch computes with one thread, unless ``OMP_NUM_THREADS`` says otherwise. The book's networks are
    small: two threads wait for each other at every operation, and beside a busy program they take up to
    ten times as long (`make benchmark` shows both).

    Matrix products of float32 tensors may use the device's faster units (bfloat16 on a CPU that has
    it, TF32 on a GPU): PyTorch's precision "medium". Sums and stored numbers stay float32.

    In a notebook, what a cell leaves behind in memory goes back to the system from now on: `release_memory`.
    """
    loaded = sys.modules.get("IPython")
    shell = loaded.get_ipython() if loaded else None
    if shell:
        shell.events.register("post_run_cell", lambda _: release_memory())
    torch.set_float32_matmul_precision("medium")
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    return choose_device(os.environ.get("DLBOOK_DEVICE") or None)


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether the device has units for bfloat16 and may use them, rather than imitates it slowly.

    ``ATEN_CPU_CAPABILITY`` and ``ONEDNN_MAX_CPU_ISA`` keep PyTorch and its library from a CPU's newer units.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
            return False
        if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BFLOAT16:
            return False
        # Older versions of PyTorch do not tell what the processor can do.
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(capabilities.get(unit) for unit in ("avx512_bf16", "amx_bf16"))
    return False


def autocast(wanted: bool = True) -> torch.autocast:
    """Return a context in which convolutions and matrix products compute in bfloat16.

    It has the range of float32 with 8 bits of precision in place of 24, and takes half the memory and on
    many devices half the time. What is sensitive, PyTorch keeps in float32; so do the weights.

    Args:
        wanted: False leaves everything in float32, as does a device without bfloat16.
    """
    device = current().device
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and has_bfloat16(device))


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python's, NumPy's and PyTorch's global generators, and return one of one's own.

    Args:
        seed: 0 to 2**32 - 1.

    Returns:
        A CPU generator seeded with ``seed``, for draws that must not depend on what else draws.

    Raises:
        ValueError: the seed is out of range.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"a seed lies between 0 and 2**32 - 1, not {seed}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def device_name(device: torch.device) -> str:
    """Return what the device calls itself, such as ``NVIDIA H200`` or ``AMD EPYC 9B45``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _processor_name() or platform.machine() or "unknown"


def _processor_name() -> str:
    """Return the processor's name; Linux keeps it in a file, elsewhere Python knows it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


@functools.cache
def commit() -> str:
    """Return the commit that this code was taken from.

    In a checkout git is asked, and ``-dirty`` marks uncommitted changes. In an installation from a
    repository, pip has written the commit down. ``unknown`` otherwise.
    """
    described = _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    tracked = _git("ls-files", "--error-unmatch", __file__)
    return (described if tracked else None) or _installed_commit() or "unknown"


def _git(*arguments: str) -> str | None:
    """Return what git answers in this package's folder; None where it fails or is not installed."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    # Inside a hook, git's own variables would make it answer for another folder; its settings are a user's.
    surroundings = {name: os.environ[name] for name in os.environ if not re.match(r"GIT_(?!CONFIG)", name)}
    try:
        told = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True)
        return told.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _installed_commit() -> str | None:
    try:
        origin = importlib.metadata.distribution("dlbook").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    return json.loads(origin).get("vcs_info", {}).get("commit_id") if origin else None


def release_memory() -> None:
    """Give memory that nothing in this process uses back to the system, where its C library can be asked to.

    glibc keeps what tensors of a few megabytes leave behind, for later ones: hundreds of megabytes after an
    evaluation, which a notebook on a small machine needs elsewhere.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


def peak_gpu_memory() -> int:
    """Return the most that PyTorch's tensors have taken on the GPU at once, in bytes; 0 on other devices."""
    return torch.cuda.max_memory_allocated() if current().device.type == "cuda" else 0


def _main() -> int:
    """Say where the book computes; 1 if that is not the kind of device in ``DLBOOK_EXPECT_DEVICE``."""
    device = current().device
    total = (torch.ones(1000, 1000, device=device) @ torch.ones(1000, 1000, device=device)).sum().item()
    print(f"{current().reason}: {device_name(device)}; a product of two matrices of ones sums to {total:.0f}")
    expected = os.environ.get("DLBOOK_EXPECT_DEVICE")
    if expected and expected != device.type:
        print(f"error: {expected} was expected (DLBOOK_EXPECT_DEVICE)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
