"""One style sheet for the whole site, with the rules that its pages can need.

The theme, the extensions and the book bring a dozen sheets, and most of their rules are for what no page has.
A reader on a phone would wait for all of them before there is a word to read.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tinycss2
from docutils import nodes
from sphinx.application import Sphinx
from tinycss2.ast import Node

STATIC, SHEET = "_static", "site.css"
# Those that the theme's layout would name; `_templates/static/webpack-macros.html` names none.
THEME = ("styles/theme.css", "styles/bootstrap.css", "styles/pydata-sphinx-theme.css")
ELSEWHERE = {"reader.css"}  # the EPUB's: Jupyter Book takes all that lies in `_static`
LINK = re.compile(rf"({STATIC}/{re.escape(SHEET)})(\?v=\w*)?")
ADDRESS = re.compile(r"url\(\s*([\"']?)(?![\"'#/]|\w+:)([^\"')]+)\1\s*\)")
# What can be the name of a class or of an element, in a page or in a script that makes some.
WORD = re.compile(r"""[^\s"'`<>=.#,;:()\[\]{}\\]+""")
GROUPS = ("media", "supports", "container", "layer")  # at-rules that hold rules


class SiteStyle:
    """The sheets of a build's pages, which become one when the last page is written."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def choose(
        self, app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
    ) -> None:
        """Let a page load the one sheet, and note of which others that is made."""
        styles = sorted(context["css_files"], key=lambda style: style.priority)
        names = [posixpath.relpath(str(style.filename), STATIC) for style in styles]
        self._names = list(dict.fromkeys([*THEME, *(name for name in names if name not in ELSEWHERE)]))
        context["css_files"] = [type(styles[0])(f"{STATIC}/{SHEET}")]

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write the sheet; pages name it with its checksum, so that no browser takes an earlier one."""
        if exception is not None or not self._names:
            return
        folder = Path(app.outdir, STATIC)
        pages = {path: path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html")}
        scripts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.js")]
        words = {word for text in (*pages.values(), *scripts) for word in WORD.findall(text)}
        sheet = "".join(rule for name in self._names for rule in needed(folder, name, words))
        (folder / SHEET).write_text(sheet, encoding="utf-8")
        link = rf"\1?v={hashlib.sha256(sheet.encode()).hexdigest()[:8]}"
        for path, text in pages.items():
            linked = LINK.sub(link, text)
            if linked != text:
                path.write_text(linked, encoding="utf-8")


def checksum(folder: Path) -> str:
    """Return a checksum over the book's own scripts and styles: pages are written again when one changes."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".css", ".js"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def needed(folder: Path, name: str, words: set[str]) -> Iterator[str]:
    """Yield the rules of a sheet, and of those that it imports, which a page with these words can need.

    Args:
        folder: of all sheets; addresses become relative to it.
        name: of the sheet, below the folder. One that is not there has no rules: a site without playgrounds
            has not theirs.
        words: in which each class is, and each name of an element, that the pages have or can get.
    """
    path = folder / name
    if not path.exists():
        return
    here = posixpath.dirname(name)

    def moved(address: re.Match[str]) -> str:
        return f'url("{posixpath.normpath(posixpath.join(here, address[2].strip()))}")'

    text = ADDRESS.sub(moved, path.read_text(encoding="utf-8"))
    for rule in _parsed(text):
        if rule.type == "at-rule" and rule.lower_at_keyword == "import":
            (imported,) = (token.value for token in rule.prelude if token.type in ("string", "url"))
            yield from needed(folder, posixpath.normpath(posixpath.join(here, imported)), words)
        else:
            yield from _kept(rule, words)


def _parsed(sheet: str | Sequence[Node]) -> list[Node]:
    return tinycss2.parse_rule_list(sheet, skip_comments=True, skip_whitespace=True)


def _kept(rule: Node, words: set[str]) -> Iterator[str]:
    if rule.type == "qualified-rule":
        selectors = [each for each in _selectors(rule.prelude) if words.issuperset(_names(each))]
        if selectors:
            said = ",".join(tinycss2.serialize(each).strip() for each in selectors)
            content = [token for token in rule.content if token.type != "comment"]
            yield f"{said}{{{tinycss2.serialize(content).strip()}}}\n"
    elif rule.type == "at-rule" and rule.lower_at_keyword in GROUPS and rule.content is not None:
        inner = "".join(kept for each in _parsed(rule.content) for kept in _kept(each, words))
        if inner:
            yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}\n"
    elif rule.type == "at-rule" and rule.lower_at_keyword != "charset":
        yield f"{rule.serialize()}\n"


def _selectors(prelude: Iterable[Node]) -> Iterator[list[Node]]:
    """Yield the selectors of a rule, which commas part."""
    selector: list[Node] = []
    for token in prelude:
        if token == ",":
            yield selector
            selector = []
        else:
            selector.append(token)
    yield selector


def _names(selector: Sequence[Node]) -> Iterator[str]:
    """Yield the classes, and the names of elements, that something must have to be meant.

    What stands in brackets is left out: in ``:not(.a)``, it must not have them.
    """
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" or (token.type == "ident" and before == "."):
            yield token.value
