"""The topics of the book, as the table of contents groups their pages."""

from typing import NamedTuple

import yaml
from conftest import ROOT, chapter_paths

# Each page with cells: its address in the site → its source.
CHAPTERS = {
    path.relative_to(ROOT / "book").with_suffix(".html").as_posix(): path.read_text(encoding="utf-8")
    for path in chapter_paths()
}
# All pages of the site: those of the table of contents, and those that are made for it.
PAGES = ["404.html", "genindex.html", "index.html", "search.html", *CHAPTERS,
         *(f"about/{path.stem}.html" for path in sorted((ROOT / "book" / "about").glob("*.md")))]  # fmt: skip


class Topic(NamedTuple):
    """A core page, and the deeper pages below it."""

    core: str
    deeper: list[str]


def topics() -> list[Topic]:
    """Return the topics in their order."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"][0]["chapters"]
    return [Topic(each["file"], [below["file"] for below in each.get("sections", [])]) for each in contents]
