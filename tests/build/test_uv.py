"""Where packages come from: what a user has told pip holds for uv, too, and what uv was told goes first."""

import os
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
    (tmp_path / "index" / "small-thing").mkdir(parents=True)
    (tmp_path / "index" / "small-thing" / "index.html").write_text(f'<a href="{name}">{name}</a>')
    with zipfile.ZipFile(tmp_path / "index" / "small-thing" / name, "w") as wheel:
        wheel.writestr("small_thing.py", "")
        about = "small_thing-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: small-thing\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", f"small_thing.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n")
    return tmp_path / "index"


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


def test_where_pip_has_put_uv_elsewhere_the_setting_is_named(tmp_path):
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    paths = os.environ | {"PYTHONPATH": str(ROOT / "book" / "_ext")}
    told = subprocess.run([python, "-m", "bookbuild.uv", "pip"], env=paths, capture_output=True, text=True)
    assert told.returncode == 1
    assert told.stderr.startswith(f"error: there is no {tmp_path}/uv.")
