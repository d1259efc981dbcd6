"""uv with what a user has told pip: ``python -m bookbuild.uv pip install …``; the Makefile calls it.

uv reads none of pip's settings. But who is behind a company's mirror of the package index has said so in
pip.conf or in ``PIP_…``, and nowhere else.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

# A setting of pip's → the variable by which uv takes it.
VARIABLES = {
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "index-url": "UV_INDEX_URL",
    "proxy": "ALL_PROXY",
    "trusted-host": "UV_INSECURE_HOST",
}
# What pip takes for a yes.
YES = ("y", "yes", "t", "true", "on", "1")
# What stands between several; for all others, a space.
SEPARATORS = {"UV_FIND_LINKS": ","}
# Where pip takes settings from when it installs, the weakest first; ``:env:`` is ``PIP_…``.
SECTIONS = ("global", "install", ":env:")
PROGRAM = Path(sys.executable).with_name("uv")


def told() -> tuple[dict[str, str], list[str]]:
    """Return uv's environment and options: what pip is told, and what the user has set for uv itself."""
    settings = _settings()
    found = {
        variable: SEPARATORS.get(variable, " ").join(settings[name])
        for name, variable in VARIABLES.items()
        if name in settings
    }
    if "UV_EXTRA_INDEX_URL" in found:  # pip looks at all of them; the lock's hashes say what is meant
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    # For this uv has no variable.
    options = ["--no-index"] if " ".join(settings.get("no-index", [])).lower() in YES else []
    return found | os.environ, options


def _settings() -> dict[str, list[str]]:
    """Return what pip is told: a setting → its words."""
    ask = [sys.executable, "-m", "pip", "config", "list"]
    # With `user = true`, which is meant for installing, pip would list the user's own file alone.
    told = subprocess.run(ask, env=os.environ | {"PIP_USER": "0"}, capture_output=True, text=True)
    listed = dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)
    found = {}
    for section in SECTIONS:
        for name in (*VARIABLES, "no-index"):
            said = ast.literal_eval(listed.get(f"{section}.{name}", "''")).split()
            if name == "find-links":
                said = list(filter(None, map(_there, said)))
            if said:
                found[name] = said
    return found


def _there(place: str) -> str:
    """Return where packages lie; an empty text for a folder that is not there, which stops uv and not pip."""
    path = Path(place).expanduser()
    return place if "://" in place else str(path) if path.exists() else ""


if __name__ == "__main__":
    environment, options = told()
    os.execve(PROGRAM, [str(PROGRAM), *sys.argv[1:], *options], environment)
