"""Where this repository lives on GitHub, and where its site is published."""

import os
import re
import subprocess
from pathlib import Path

REMOTE = re.compile(r"github\.com[:/](?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?:\.git)?/?$")


def repository(folder: Path) -> tuple[str, str] | None:
    """Return the owner and name on GitHub of the repository that a folder belongs to.

    ``GITHUB_REPOSITORY`` (``owner/name``), which GitHub's runners set, goes first; then the git remote
    ``origin``. None where neither leads to GitHub.
    """
    given = os.environ.get("GITHUB_REPOSITORY", "")
    if given.count("/") == 1:
        owner, name = given.split("/")
        return owner, name
    asked = ["git", "-C", str(folder), "remote", "get-url", "origin"]
    try:
        remote = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    found = REMOTE.search(remote)
    return (found["owner"], found["name"]) if found else None


def site_address(folder: Path) -> str | None:
    """Return where GitHub Pages serves this repository's site, with a slash at the end."""
    found = repository(folder)
    if found is None:
        return None
    owner, name = found
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"
