"""Tables and links, as the build's own directives make them."""

from collections.abc import Sequence
from typing import TypeAlias

from docutils import nodes

from bookbuild.render.placeholders import Rendering

# A cell is a text, or what belongs into a paragraph.
Cell: TypeAlias = str | nodes.Node
Row: TypeAlias = Sequence[Cell]


def table(header: Row, rows: Sequence[Row], kind: str = "results") -> nodes.table:
    """Return a table with a heading row; its kind is its class."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=[kind])


def _row(cells: Row) -> nodes.row:
    inline = [nodes.Text(cell) if isinstance(cell, str) else cell for cell in cells]
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", "", content)) for content in inline])


def page_link(rendering: Rendering, docname: str) -> nodes.reference:
    """Return a page's title as a link from the page that is being written."""
    uri = rendering.app.builder.get_relative_uri(rendering.docname, docname)
    return nodes.reference("", rendering.app.env.titles[docname].astext(), internal=True, refuri=uri)
