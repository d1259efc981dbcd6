"""Say which pages a commit changes, and which pages its build executed anew.

For the summary of a pull request's check.
"""

import os
import sys
from pathlib import Path

from bookbuild import summary
from bookbuild.book import Book
from bookbuild.repository import GitError, git, repository

# What shows a reviewer the site that a run has built, at http://localhost:8000.
VIEW = """\
gh run download {run} --repo {repository} --name site --dir site-{run} &&
    python3 -m http.server --bind 127.0.0.1 --directory site-{run}"""


def changed_pages(root: Path) -> list[str]:
    """Return the sources of pages that differ from the commit's first parent, a pull request's base."""
    return git(root, "diff", "--name-only", "HEAD^1", "HEAD", "--", "book/*.md").splitlines()


def executed_pages(book: Book) -> list[str]:
    """Return the pages whose outputs were computed at this commit; the others' came from the cache."""
    head = git(book.root, "rev-parse", "HEAD")
    records = summary.read(book.build)
    return [docname for docname, record in records.items() if record.provenance.commit == head]


def in_markdown(book: Book) -> str:
    """Return both as Markdown; in a run of GitHub's, also how to look at the site."""
    parts = {
        "Pages whose source this changes": changed_pages(book.root),
        "Chapters that were executed anew": executed_pages(book),
    }
    blocks = [
        f"### {title}\n\n" + "\n".join(f"- {item}" for item in items or ["none"])
        for title, items in parts.items()
    ]
    if run := os.environ.get("GITHUB_RUN_ID"):
        command = VIEW.format(run=run, repository="/".join(repository(book.root) or ("OWNER", "NAME")))
        blocks.append(f"### To look at the site\n\n```\n{command}\n```")
    return "\n\n".join(blocks) + "\n"


def report(book: Book) -> int:
    """Print what changed, and add it to the summary of the GitHub run where there is one.

    Returns:
        1 where git cannot say what changed; it is said why.
    """
    try:
        text = in_markdown(book)
    except GitError as error:
        print(f"What changed is not known: {error}", file=sys.stderr)
        return 1
    print(text)
    if target := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(target).open("a", encoding="utf-8") as file:
            file.write(text)
    return 0
