"""Where this repository lives on GitHub, at which commit it is, and where its site is published."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from bookbuild.book import BookError

OWNER_AND_NAME = re.compile(r"[a-z0-9][\w-]*/(?!\.{1,2}$)[\w.-]+", re.ASCII | re.IGNORECASE)
HOSTS = {"github.com", "www.github.com", "ssh.github.com"}


class GitError(Exception):
    """Git does not answer for a folder; the message says why."""


def git(root: Path, *arguments: str) -> str:
    """Return what git answers in a checkout.

    Raises:
        GitError: it is not installed, does not trust the folder, or the folder is no checkout: a copy that
            was unpacked inside another one is not that one.
    """
    top = _ask(root, "rev-parse", "--show-toplevel")
    if Path(top).resolve() != root.resolve():
        raise GitError(f"{root} is no checkout: it only lies in the one of {top}")
    return _ask(root, *arguments)


def _ask(folder: Path, *arguments: str) -> str:
    # Inside a hook, git's own variables would make it answer for another folder; its settings are a user's.
    surroundings = {name: os.environ[name] for name in os.environ if not re.match(r"GIT_(?!CONFIG)", name)}
    asked = ["git", "-C", str(folder), *arguments]
    try:
        told = subprocess.run(asked, env=surroundings, capture_output=True, text=True)
    except OSError as error:
        raise GitError(f"git cannot be run: {error}") from error
    if told.returncode:
        raise GitError(" ".join(told.stderr.split()))
    return told.stdout.strip()


def commit(root: Path) -> str:
    """Return the commit that a checkout is at; an empty text where git does not say."""
    try:
        return git(root, "rev-parse", "HEAD")
    except GitError:
        return ""


def repository(root: Path) -> tuple[str, str] | None:
    """Return the owner and name on GitHub of a checkout's repository; None where nothing leads to GitHub.

    Raises:
        BookError: ``GITHUB_REPOSITORY`` is not of the form ``owner/name``.
    """
    return next(repositories(root), None)


def repositories(root: Path) -> Iterator[tuple[str, str]]:
    """Yield owner and name of each repository on GitHub that a checkout belongs to, its own first.

    ``GITHUB_REPOSITORY`` (``owner/name``), which GitHub's runners set, goes first; then the git remote
    ``origin``, then the others.

    Raises:
        BookError: the variable is not of this form.
    """
    given = os.environ.get("GITHUB_REPOSITORY")
    if given:
        if not OWNER_AND_NAME.fullmatch(given):
            raise BookError(f"GITHUB_REPOSITORY must be of the form owner/name, not {given!r}")
        owner, name = given.split("/")
        yield owner, name
    try:
        remotes = sorted(git(root, "remote").split(), key=lambda remote: (remote != "origin", remote))
    except GitError:
        return
    for remote in remotes:
        with suppress(GitError):  # it has no address
            if found := _on_github(git(root, "remote", "get-url", remote)):
                yield found


def reason(root: Path) -> str:
    """Say why `repository` finds nothing."""
    try:
        git(root, "remote")
    except GitError as error:
        return str(error)
    return f"no git remote of {root} leads to GitHub"


def _on_github(remote: str) -> tuple[str, str] | None:
    """Return owner and name from a remote's address, in any form that git takes."""
    if "://" in remote:
        parts = urlsplit(remote)
        host, path, is_ssh = parts.hostname or "", parts.path, parts.scheme == "ssh"
    else:  # git@github.com:owner/name
        where, _, path = remote.partition(":")
        host, is_ssh = where.rpartition("@")[2].lower(), True
    path = path.strip("/").removesuffix(".git")
    if not OWNER_AND_NAME.fullmatch(path) or (host not in HOSTS and not (is_ssh and _host(host) in HOSTS)):
        return None
    owner, name = path.split("/")
    return owner, name


def _host(alias: str) -> str:
    """Return the host that a name stands for in a user's settings of SSH; an empty text where none does."""
    try:
        asked = ["ssh", "-G", "--", alias]
        told = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"^hostname (\S+)$", told.stdout, re.MULTILINE)
    return found[1].lower() if found else ""


def site_address(root: Path) -> str | None:
    """Return where GitHub Pages serves this repository's site, with a slash at the end."""
    found = repository(root)
    return pages_address(*found) if found else None


def pages_address(owner: str, name: str) -> str:
    """Return where GitHub Pages serves a repository's site, with a slash at the end."""
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"
