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
from sphinx.errors import ExtensionError
from tinycss2.ast import Node

STATIC, SHEET = "_static", "site.css"
# Those that the theme's layout would name; `_templates/static/webpack-macros.html` names none.
THEME = ("styles/theme.css", "styles/pydata-sphinx-theme.css")
ICON_FONTS = "vendor/fontawesome/"  # of the theme: the book's own icons are in `_static/icons.css`
FOR_EPUB = {"reader.css"}  # Jupyter Book takes all that lies in `_static`
LINK = re.compile(rf"({STATIC}/{re.escape(SHEET)})(\?v=\w*)?")
ABSOLUTE = re.compile(r"#|/|\w+:")  # at its beginning: it means the same from any folder
# What can be the name of a class or of an element, in a page or in a script that makes some; and all classes.
WORD = re.compile(r"""[^\s"'`<>=.#,;:()\[\]{}\\]+""")
CLASSES = re.compile(r'\bclass="([^"]*)"')
MADE = {"bs-tooltip-auto"}  # by Bootstrap's script, out of parts
GROUPS = ("media", "supports", "container", "layer")  # at-rules that hold rules
PLAIN = {"rel": "stylesheet", "type": "text/css"}


class SiteStyle:
    """The sheets of a build's pages, which become one when the last page is written."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def choose(
        self, app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
    ) -> None:
        """Let a page load the one sheet, and note of which others that is made."""
        styles = sorted(context["css_files"], key=lambda style: style.priority)
        for style in styles:
            if "://" in str(style.filename) or style.attributes.items() - PLAIN.items():
                raise ExtensionError(f"{style} cannot be joined with the other style sheets of the site")
        names = [posixpath.relpath(str(style.filename), STATIC) for style in styles]
        self._names = list(dict.fromkeys([*THEME, *(name for name in names if name not in FOR_EPUB)]))
        context["css_files"] = [type(styles[0])(f"{STATIC}/{SHEET}")]

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write the sheet; pages name it with its checksum, so that no browser takes an earlier one."""
        if exception is not None or not self._names:
            return
        folder = Path(app.outdir, STATIC)
        pages = {path: path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html")}
        scripts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.js")]
        words = MADE | {word for text in (*pages.values(), *scripts) for word in WORD.findall(text)}
        words |= {name for text in pages.values() for all in CLASSES.findall(text) for name in all.split()}
        sheet = "".join(rule for name in self._names for rule in needed(folder, name, words))
        (folder / SHEET).write_text(sheet, encoding="utf-8")
        link = rf"\1?v={hashlib.sha256(sheet.encode()).hexdigest()[:8]}"
        for path, text in pages.items():
            linked = LINK.sub(link, text)
            if linked != text:
                path.write_text(linked, encoding="utf-8")


def checksum(folder: Path) -> str:
    """Return a checksum over the book's own scripts and styles: pages are written again when one changes."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".css", ".js")):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def needed(folder: Path, name: str, words: set[str]) -> Iterator[str]:
    """Yield the rules of a sheet, and of those that it imports, which a page with these words can need.

    Args:
        folder: of all sheets; addresses become relative to it.
        name: of the sheet, below the folder. That of the playgrounds has no rules where there are none.
        words: in which each class is, and each name of an element, that the pages have or can get.

    Raises:
        ExtensionError: there is no such sheet, or it imports what cannot be joined.
    """
    path = folder / name
    if not path.exists() and name.startswith("playgrounds/"):
        return
    if not path.exists():
        raise ExtensionError(f"the site has no style sheet {name}, which its pages ask for")
    for rule in _parsed(path.read_text(encoding="utf-8-sig")):
        if rule.type == "at-rule" and rule.lower_at_keyword == "import":
            yield from needed(folder, _moved(_imported(rule, name), posixpath.dirname(name)), words)
        else:
            _move(rule, posixpath.dirname(name))
            yield from _kept(rule, words)


def _imported(rule: Node, name: str) -> str:
    """Return the address of the sheet that a sheet of that name imports, which must be one of this site."""
    said = [token for token in rule.prelude if token.type != "whitespace"]
    if len(said) == 1 and said[0].type == "function":
        said = said[0].arguments
    is_address = len(said) == 1 and said[0].type in ("string", "url") and said[0].value
    if not is_address or ABSOLUTE.match(said[0].value):
        imports = tinycss2.serialize(rule.prelude).strip()
        raise ExtensionError(f"{name} imports {imports}, which cannot be joined with it")
    return str(said[0].value)


def _move(node: Node, folder: str) -> None:
    """Let all addresses in a rule of a folder's sheet be relative to the folder of all sheets."""
    is_address = node.type == "function" and node.lower_name == "url"
    for address in [node] if node.type == "url" else node.arguments if is_address else ():
        if address.type in ("url", "string") and not ABSOLUTE.match(address.value):
            moved = f'"{_moved(address.value, folder)}"'
            address.representation = moved if is_address else f"url({moved})"
    for part in () if is_address else ("prelude", "content", "arguments"):
        for inner in getattr(node, part, None) or ():
            _move(inner, folder)


def _moved(address: str, folder: str) -> str:
    return address if ABSOLUTE.match(address) else posixpath.normpath(posixpath.join(folder, address))


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
        said = rule.serialize()
        if ICON_FONTS not in said:
            yield f"{said}\n"


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
