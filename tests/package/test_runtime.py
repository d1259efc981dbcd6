"""Device choice, seeds and provenance."""

import os
import platform
import random
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from IPython.core.events import EventManager, available_events

from dlbook import runtime


def test_a_requested_device_is_used():
    assert runtime.choose_device("cpu").device == torch.device("cpu")


def test_the_reason_names_the_device():
    chosen = runtime.choose_device()
    assert chosen.reason.startswith(chosen.device.type)


def test_an_unknown_device_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="cuda, mps, cpu"):
        runtime.choose_device("abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_a_missing_device_is_refused():
    with pytest.raises(ValueError, match="cuda"):
        runtime.choose_device("cuda")


def warn_of_the_driver() -> bool:
    warnings.warn("the driver is too old", stacklevel=1)
    return False


def test_what_pytorch_warns_of_is_a_part_of_the_reason_and_on_no_page(monkeypatch, recwarn):
    monkeypatch.setattr(torch.cuda, "is_available", warn_of_the_driver)
    assert runtime.choose_device().reason == "cpu, because no GPU was found (the driver is too old)"
    with pytest.raises(ValueError, match=r"'cuda' was asked for.*the driver is too old"):
        runtime.choose_device("cuda")
    assert not recwarn.list


def test_a_device_that_is_not_asked_for_is_not_looked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: pytest.fail("looked for"))
    assert runtime.choose_device("cpu").device.type == "cpu"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, True),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, True),
        ({"ONEDNN_MAX_CPU_ISA": "avx2"}, False),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"}, False),
    ],
)
def test_bfloat16_is_not_used_where_the_units_for_it_may_not_be(monkeypatch, settings, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    cpu = torch.device("cpu")
    assert runtime.has_bfloat16(cpu) == expected
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert not runtime.has_bfloat16(cpu)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_f": True}, raising=False)
    assert not runtime.has_bfloat16(cpu)


def test_a_hook_s_variables_do_not_lead_to_another_commit(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    before = runtime.commit()
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    runtime.commit.cache_clear()
    assert runtime.commit() == before


def test_the_variable_overrides_the_choice(monkeypatch):
    monkeypatch.setenv("DLBOOK_DEVICE", "abacus")
    runtime.current.cache_clear()
    with pytest.raises(ValueError, match="abacus"):
        runtime.current()
    monkeypatch.undo()
    runtime.current.cache_clear()


def _draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), torch.rand(()).item()


def test_seeding_repeats_every_generator():
    generator = runtime.seed_everything(7)
    first = (*_draws(), torch.rand((), generator=generator).item())
    generator = runtime.seed_everything(7)
    assert (*_draws(), torch.rand((), generator=generator).item()) == first
    runtime.seed_everything(8)
    assert _draws() != first[:3]


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        runtime.seed_everything(seed)


def test_without_git_the_commit_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")
    runtime.commit.cache_clear()
    assert runtime.commit() == "unknown"
    runtime.commit.cache_clear()


def test_the_commit_is_the_checkout_s():
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert runtime.commit().removesuffix("-dirty") == head.stdout.strip()


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OMP_NUM_THREADS": "2"}, "2")])
def test_one_thread_computes_unless_the_user_says_otherwise(given, expected):
    """In a new interpreter, as the number is set once."""
    code = "import torch; from dlbook import runtime; runtime.current(); print(torch.get_num_threads())"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | given
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert said.stdout.strip() == expected, said.stderr


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked")
def test_memory_that_small_tensors_leave_behind_is_given_back():
    torch.ones(5_000_000)  # from now on glibc takes blocks of a megabyte from its heap
    process = psutil.Process()
    tensors = [torch.ones(250_000) for _ in range(200)]
    kept = tensors[::20]  # gaps between these
    del tensors
    before = process.memory_info().rss
    runtime.release_memory()
    assert before - process.memory_info().rss > 100_000_000
    assert all(tensor.eq(1).all() for tensor in kept)


def test_a_notebook_gives_memory_back_after_each_cell(monkeypatch):
    events = EventManager(None, available_events)
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(events=events))
    released = []
    monkeypatch.setattr(runtime, "release_memory", lambda: released.append(True))
    runtime.current.__wrapped__()
    events.trigger("post_run_cell", None)
    assert released == [True]
