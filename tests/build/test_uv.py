"""Where packages come from: what a user has told pip holds for uv, too, and what uv was told goes first."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bookbuild import uv
from bookbuild.loopback import served
from conftest import ROOT

pytestmark = pytest.mark.quick

SETTINGS = """[global]
index-url = https://global.example/simple
cert = /etc/company's own.pem
trusted-host = one.example
    two.example
extra-index-url = https://one.example/simple
    https://two.example/simple
find-links = /nowhere/wheels ~ /usr https://three.example/wheels
client-cert = /etc/own.pem
user = true
[install]
index-url = https://install.example/simple
"""
NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture
def bare(monkeypatch) -> pytest.MonkeyPatch:
    """An environment in which nobody has set anything for pip or uv."""
    for name in os.environ:
        if name.startswith(("PIP_", "UV_")) or name in uv.VARIABLES.values():
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return monkeypatch


def test_pip_s_settings_reach_uv_in_pip_s_order(bare, tmp_path):
    assert not set(uv.VARIABLES.values()) & uv.told()[0].keys()
    (tmp_path / "pip.conf").write_text(SETTINGS)
    bare.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    found = uv.told()[0]
    assert found["UV_INDEX_URL"] == "https://install.example/simple"
    assert found["SSL_CERT_FILE"] == "/etc/company's own.pem"
    assert found["UV_INSECURE_HOST"] == "one.example two.example"
    assert found["UV_EXTRA_INDEX_URL"] == "https://one.example/simple https://two.example/simple"
    assert found["UV_FIND_LINKS"] == f"{Path.home()},/usr,https://three.example/wheels"
    assert found["SSL_CLIENT_CERT"] == "/etc/own.pem"
    bare.setenv("PIP_INDEX_URL", "https://variable.example/simple")
    assert uv.told()[0]["UV_INDEX_URL"] == "https://variable.example/simple"


@pytest.fixture
def index(tmp_path) -> Path:
    """The folder of a package index with one small package."""
    name = "small_thing-1.0-py3-none-any.whl"
    pack(tmp_path / "index" / "small-thing" / name, {"small_thing.py": ""})
    (tmp_path / "index" / "small-thing" / "index.html").write_text(f'<a href="{name}">{name}</a>')
    return tmp_path / "index"


def pack(wheel: Path, files: dict[str, str]) -> None:
    """Write a package with these files, name and version as the wheel's own name says."""
    name, version = wheel.name.split("-")[:2]
    about = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files = files | {f"{name}-{version}.dist-info/{part}": said for part, said in about.items()}
    record = "".join(f"{path},,\n" for path in files)
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as packed:
        for path, text in (files | {f"{name}-{version}.dist-info/RECORD": record}).items():
            file = zipfile.ZipInfo(path)
            file.external_attr = 0o100755 << 16  # a program can be run
            packed.writestr(file, text)


def install(target: Path, **told: str) -> bool:
    """Let uv install the small package into a folder, told of this; tell whether it could."""
    command = [sys.executable, "-m", "bookbuild.uv", "pip", "install", "--target", target, "small-thing"]
    paths = {"PYTHONPATH": str(ROOT / "book" / "_ext"), "UV_CACHE_DIR": str(target.with_suffix(".cache"))}
    patience = {"UV_HTTP_TIMEOUT": "300", "UV_HTTP_RETRIES": "0", "UV_NO_CONFIG": "1"}
    done = subprocess.run(command, env=os.environ | paths | patience | told, capture_output=True, text=True)
    assert (done.returncode == 0) == (target / "small_thing.py").exists(), done.stderr
    return done.returncode == 0


def test_a_company_s_mirror_that_only_pip_knows_is_where_uv_installs_from(bare, index, tmp_path):
    with served(index) as address:
        assert install(tmp_path / "by pip's", PIP_INDEX_URL=address)
        assert not install(tmp_path / "by uv's", PIP_INDEX_URL=address, UV_DEFAULT_INDEX=NOWHERE)
        assert install(tmp_path / "by uv's", PIP_INDEX_URL=NOWHERE, UV_DEFAULT_INDEX=address)


def test_what_only_a_second_index_or_a_folder_of_wheels_has_is_installed_too(bare, index, tmp_path):
    with served(index) as address, served(tmp_path / "empty") as empty:
        assert install(tmp_path / "second", PIP_INDEX_URL=empty, PIP_EXTRA_INDEX_URL=f"{empty} {address}")
        folder = str(index / "small-thing")
        assert install(tmp_path / "folder", PIP_INDEX_URL=empty, PIP_FIND_LINKS=f"{tmp_path} {folder}")


def test_where_pip_may_ask_no_index_uv_does_not_either(bare, index, tmp_path):
    folder = str(index / "small-thing")
    with served(index) as address:
        assert not install(tmp_path / "asked", PIP_INDEX_URL=address, PIP_NO_INDEX="1")
        assert install(tmp_path / "allowed", PIP_INDEX_URL=address, PIP_NO_INDEX="no")
        assert install(tmp_path / "folder", PIP_INDEX_URL=NOWHERE, PIP_NO_INDEX="Yes", PIP_FIND_LINKS=folder)


SELF = """#!python
import sys
print("uv", *sys.argv[1:])
"""


@pytest.mark.parametrize("setting", ["target", "prefix", "root"])
def test_uv_is_fetched_as_pip_is_told_and_installed_where_it_belongs(bare, tmp_path, setting):
    """Of a uv that only says what it was asked, which a folder of wheels has and no index."""
    wheel = tmp_path / "wheels" / "uv-1.0-py3-none-any.whl"
    pack(wheel, {"uv-1.0.data/scripts/uv": SELF})
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "book" / "_ext", checkout / "book" / "_ext")
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-torch.txt"):
        shutil.copy(ROOT / name, checkout)
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (checkout / "requirements-uv.txt").write_text(f"uv==1.0 --hash=sha256:{checksum}\n")
    (tmp_path / "pip.conf").write_text(
        f"[global]\nno-index = true\nfind-links = {wheel.parent}\n{setting} = {tmp_path / 'elsewhere'}\n"
    )
    bare.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "env", f"PYTHON={sys.executable}"]
    told = subprocess.run(command, cwd=checkout, env=outside, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert "uv pip install" in told.stdout
    assert not (tmp_path / "elsewhere").exists()
