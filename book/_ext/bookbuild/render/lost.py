"""What a reader sees whose address leads to no page: GitHub Pages shows ``404.html`` at any depth."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from sphinx.application import Sphinx

from bookbuild.repository import site_address

PAGE = "404"
BODY = """<h1>This page does not exist</h1>
<p>The address is misspelled, or the page has another name now. The book's pages are listed beside this text,
and the search finds words in them. You can also begin at <a href="{first}">the first page</a>.</p>
"""
ADDRESS = re.compile(r'(?P<name> (?:href|src|action|data-content_root)=")(?P<address>[^"#][^"]*)"')


def collect(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Let Sphinx write the page, with the table of contents and the search as every page has them."""
    first = app.builder.get_relative_uri(PAGE, app.config.root_doc)
    yield PAGE, {"title": "This page does not exist", "body": BODY.format(first=first)}, "page.html"


def name_from_the_root(app: Sphinx, exception: Exception | None) -> None:
    """Let its addresses begin at the host: others would begin at the address that leads nowhere."""
    page = Path(app.outdir, f"{PAGE}.html")
    if exception is None and page.exists():
        root = urlsplit(site_address(Path(app.srcdir).parent) or "").path or "/"
        text = page.read_text(encoding="utf-8")
        page.write_text(ADDRESS.sub(lambda found: _absolute(found, root), text), encoding="utf-8")


def _absolute(found: re.Match[str], root: str) -> str:
    return f'{found["name"]}{urljoin(quote(root), found["address"])}"'
