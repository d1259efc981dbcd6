"""Tell search engines, and whoever shares a page, what it is: description, card, address and sitemap.

Addresses begin with the one where GitHub Pages serves the site; without a repository there is none, and
everything that needs one is left out.
"""

import html
import textwrap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urljoin

from docutils import nodes
from markupsafe import Markup
from sphinx.application import Sphinx

from bookbuild.book import Book
from bookbuild.repository import site_address

# Search engines show about so many characters.
LONGEST_DESCRIPTION = 160
# Shown where a page has no figure: the book's name and cover, of 1200 by 630 pixels, as services ask for.
CARD = "_static/card.png"


def describe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write a page's description, card and canonical address into its head."""
    title = Markup(context.get("title", "")).striptags()
    if page == app.config.root_doc:
        context["docstitle"] = ""  # its title is the book's own, and would stand there twice
    if doctree is None:  # the search, the index
        about = {"description": f"{title} · {app.config.html_title}"}
        context["metatags"] = context.get("metatags", "") + "".join(map(_tag, about.items()))
        return
    tags = _card(app, page, title, doctree)
    site = site_address(Path(app.srcdir).parent)
    if site:
        context["pageurl"] = page_address(app, site, page)
        tags |= {"og:url": context["pageurl"]} | _picture(app, site, doctree)
    context["metatags"] = context.get("metatags", "") + "".join(map(_tag, tags.items()))


def page_address(app: Sphinx, site: str, page: str) -> str:
    """Return the address that a page is known by; the first page's is the site's own."""
    if page == app.config.root_doc:
        return site
    return urljoin(site, quote(app.builder.get_target_uri(page)))


def description(doctree: nodes.document) -> str:
    """Return a page's first paragraph as plain text, cut behind a word; empty where there is none.

    A formula's text is TeX, so a paragraph without one goes before the others.
    """
    paragraphs = [node for node in doctree.findall(nodes.paragraph) if isinstance(node.parent, nodes.section)]
    paragraphs.sort(key=lambda node: any(node.findall(nodes.math)))  # the order stays otherwise
    text = paragraphs[0].astext() if paragraphs else ""
    return textwrap.shorten(text, LONGEST_DESCRIPTION, placeholder=" …")


def write_map(app: Sphinx, book: Book) -> None:
    """Write ``sitemap.xml`` and ``robots.txt``; remove an earlier build's where there is no address."""
    pages, rules = book.html / "sitemap.xml", book.html / "robots.txt"
    site = site_address(book.root)
    if site is None:
        pages.unlink(missing_ok=True)
        rules.unlink(missing_ok=True)
        return
    pages.write_text("\n".join(_map(app, site)), encoding="utf-8")
    rules.write_text(f"User-agent: *\nAllow: /\nSitemap: {site}sitemap.xml\n", encoding="utf-8")


def _map(app: Sphinx, site: str) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
    for page in sorted(app.env.all_docs):
        yield f"  <url><loc>{html.escape(page_address(app, site, page))}</loc></url>"
    yield "</urlset>\n"


def _card(app: Sphinx, page: str, title: str, doctree: nodes.document) -> dict[str, str]:
    about = description(doctree)
    kind = "website" if page == app.config.root_doc else "article"
    card = {"og:type": kind, "og:site_name": app.config.html_title, "og:title": title}
    return card | ({"description": about, "og:description": about} if about else {})


def _picture(app: Sphinx, site: str, doctree: nodes.document) -> dict[str, str]:
    """Return the tags of a page's first figure that a service can show, or else of the book's card."""
    shown = {"twitter:card": "summary_large_image"}
    for image in doctree.findall(nodes.image):
        # The page's writer has put there where the site has it.
        file = PurePosixPath(image.get("pixels", image["uri"])).name
        if unquote(file) in app.builder.images.values() and not file.endswith(".svg"):
            address = urljoin(site, f"{app.builder.imagedir}/{file}")
            text = image.get("alt", "")
            return shown | {"og:image": address} | ({"og:image:alt": text} if text else {})
    if Path(app.srcdir, CARD).exists():
        return shown | {
            "og:image": urljoin(site, CARD),
            "og:image:alt": f"The cover of {app.config.html_title}",
        }
    return {"twitter:card": "summary"}


def _tag(named: tuple[str, str]) -> str:
    name, content = named
    kind = "property" if name.startswith("og:") else "name"
    return f'<meta {kind}="{name}" content="{html.escape(content)}" />\n'
