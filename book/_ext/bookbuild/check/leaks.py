"""Find markup in a notebook's Markdown that only the book's own parser knows, and links that lead nowhere.

The text is read as Colab and JupyterLab read it: CommonMark with tables, formulas between dollars and bare
addresses. What stands in code is meant as it is.
"""

import functools
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

# What a line must not contain outside code.
LEAKS = {
    "a directive": re.compile(r"^\s*:{3,}"),
    "a label": re.compile(r"^\s*\([\w:.-]+\)=\s*$"),
    "a substitution": re.compile(r"\{\{.*\}\}"),
    "a footnote": re.compile(r"\[\^[^\]]+\]"),
    "a link without address": re.compile(r"\]\("),
}
# What comes before a role's text, which CommonMark reads as code.
ROLE_NAME = re.compile(r"\{[\w:+-]+\}$")


@functools.cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


def leaks(markdown: str) -> Iterator[str]:
    """Yield what a reader would see of the book's own markup, and links that need the book's files."""
    for token in _parser().parse(markdown):
        if token.type == "fence" and token.info.lstrip().startswith("{"):
            yield f"a directive: {token.info}"
        if token.type == "inline":
            yield from _in_line(token.children or [])
    for address in addresses(markdown):
        if not urlsplit(address).scheme and not address.startswith("//"):
            yield f"a relative address: {address}"


def addresses(markdown: str) -> Iterator[str]:
    """Yield where the links and pictures lead to."""
    for token in _parser().parse(markdown):
        for inside in token.children or []:
            if inside.type in ("link_open", "image"):
                yield str(inside.attrs.get("href") or inside.attrs.get("src") or "")


def _in_line(tokens: list[Token]) -> Iterator[str]:
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type != "text":
            continue
        for kind, shape in LEAKS.items():
            if shape.search(token.content):
                yield f"{kind}: {token.content}"
        if following and following.type == "code_inline" and ROLE_NAME.search(token.content):
            yield f"a role: {token.content}`{following.content}`"
