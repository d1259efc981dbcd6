"""Say which pages a commit changes, and which chapters its build executed anew.

Run as a program by `make list-changes`, for the summary of a pull request's check.
"""

import json
import os
import subprocess
import sys
from pathlib import Path


def _git(root: Path, *arguments: str) -> str:
    asked = ["git", "-C", str(root), *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def changed_pages(root: Path) -> list[str]:
    """Return the sources of pages that differ from the commit's first parent, a pull request's base."""
    return _git(root, "diff", "--name-only", "HEAD^1", "HEAD", "--", "book/*.md").splitlines()


def executed_chapters(root: Path) -> list[str]:
    """Return the chapters whose outputs were computed at this commit; the others' came from the cache."""
    results = json.loads((root / "_build" / "results.json").read_text(encoding="utf-8"))
    head = _git(root, "rev-parse", "HEAD")
    return [name for name, found in results.items() if found["provenance"]["commit"] == head]


def summary(root: Path) -> str:
    """Return both as Markdown."""
    parts = {
        "Pages whose source this changes": changed_pages(root),
        "Chapters that were executed anew": executed_chapters(root),
    }
    blocks = [
        f"### {title}\n\n" + "\n".join(f"- {item}" for item in items or ["none"])
        for title, items in parts.items()
    ]
    return "\n\n".join(blocks) + "\n"


def main() -> int:
    """Print the summary, and add it to that of the GitHub run where there is one."""
    text = summary(Path())
    print(text)
    if target := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
