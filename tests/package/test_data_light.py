"""What the build asks of the data sets costs it nothing, and what a process has loaded is remembered."""

import inspect
import json
import pickle
import pkgutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from small_web import NAMES

import dlbook
from dlbook import data
from dlbook.data import Source, bundled, loaded, source
from dlbook.data.registry import REGISTRY

LIGHT = ("dlbook.data", *(f"dlbook.data.{name}" for name in ("source", "registry", "archives", "files")))
ASK = """
import json, sys
from importlib import import_module
for name in sys.argv[1:]:
    import_module(name)
from dlbook.data.registry import REGISTRY
states = {name: (entry.is_present(), entry.state(), entry.sources) for name, entry in REGISTRY.items()}
print(json.dumps([sorted(states), sorted(name for name in sys.modules if "." not in name)]))
"""


COMPUTING = {"torch", "numpy", "cv2", "sklearn", "skimage"}


def asked(*modules: str) -> tuple[list[str], set[str]]:
    """Return the known data sets, and the modules of a process that has imported these and asked."""
    answer = subprocess.run([sys.executable, "-c", ASK, *modules], capture_output=True, text=True, check=True)
    known, imported = json.loads(answer.stdout)
    return known, set(imported)


def test_to_ask_which_data_there_are_loads_nothing_that_computes():
    known, modules = asked(*LIGHT)
    assert known == sorted(REGISTRY)
    assert (COMPUTING | {"requests"}).isdisjoint(modules)


def test_to_ask_a_server_loads_nothing_that_computes():
    """Each build does that where data are missing: PyTorch alone would take it seconds."""
    _, modules = asked("dlbook.data.fetching")
    assert COMPUTING.isdisjoint(modules)


TABLE = """
import pickle, sys
from pathlib import Path
from dlbook.data.registry import REGISTRY
REGISTRY.update(pickle.loads(Path(sys.argv[1]).read_bytes()))
from dlbook.data.__main__ import main
main([])
print(*sys.modules)
"""


def test_to_list_what_there_is_loads_no_pytorch(web, tmp_path):
    """Nor does it where archives must be read to prove it."""
    for name in NAMES:
        data.load(name)
    known = tmp_path / "entries.pickle"
    known.write_bytes(pickle.dumps({name: REGISTRY[name] for name in NAMES}))
    answer = subprocess.run([sys.executable, "-c", TABLE, known], capture_output=True, text=True, check=True)
    *table, modules = answer.stdout.splitlines()
    assert sum("original" in line for line in table) == len(NAMES)
    assert "torch" not in modules.split()


@pytest.mark.parametrize("name", data.__all__)
def test_every_name_of_the_package_leads_to_what_it_says(name):
    assert getattr(data, name).__name__ == name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="lod"):
        _ = data.lod


def test_no_function_hides_a_module():
    """Of ``dlbook.data.batches`` a reader could not say whether it is the module or the function."""
    for package in packages():
        for module in pkgutil.iter_modules(package.__path__):
            if module.name != "__main__":
                import_module(f"{package.__name__}.{module.name}")
                assert inspect.ismodule(getattr(package, module.name))
                assert module.name not in getattr(package, "__all__", ())


def packages():
    found = [module.name for module in pkgutil.iter_modules(dlbook.__path__) if module.ispkg]
    return [dlbook, *(import_module(f"dlbook.{name}") for name in found)]


@pytest.fixture
def nothing_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_loaded", {})
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path))
    monkeypatch.setattr("dlbook.data.fetching.fetch", no_network)
    monkeypatch.delenv("DLBOOK_STANDINS", raising=False)


def no_network(*_):
    raise source.NoSource("no network")


def test_the_sources_of_what_was_loaded_are_remembered_once_each_and_in_order(nothing_loaded):
    assert loaded() == ()
    standin = data.load("mnist").source
    photograph = bundled.source({"coins": np.zeros((2, 2), np.uint8)})
    data.load("mnist")
    assert loaded() == (standin, photograph)
    assert standin.is_standin


def test_what_could_not_be_had_was_not_loaded(nothing_loaded):
    with pytest.raises(data.DataError, match="no network"):
        data.fetch("mnist")
    assert loaded() == ()


def test_sources_that_differ_in_one_byte_are_two(nothing_loaded):
    for sha256 in ("a", "b", "a"):
        source.note(Source("mine", "Mine.", is_standin=False, sha256=sha256, license="MIT"))
    assert [found.sha256 for found in loaded()] == ["a", "b"]
