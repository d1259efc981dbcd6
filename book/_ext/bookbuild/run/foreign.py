"""Outputs that another machine computed, made harmless: they become a part of this machine's site.

Nobody can tell by looking whether their numbers are right. What can be prevented is that they act: that
Sphinx reads files of this machine for them, or that a reader's browser runs what they bring.
"""

import base64
import hashlib
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup, NavigableString, Tag
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from PIL import Image

from dlbook.record import Record

# Without these, Markdown has no HTML, pictures, links, roles, directives or substitutions, in any dialect.
ACTIVE = re.compile(r"[{<\[]")
# What else it may consist of, as its parser calls it: no links, and nothing that could be written wrongly.
ENCLOSING = {"em", "list_item", "ordered_list", "paragraph", "bullet_list", "strong"} | {
    "table", "tbody", "td", "th", "thead", "tr",
}  # fmt: skip
PLAIN = {"code_inline", "hardbreak", "inline", "softbreak", "text"}
# What `plain_html` lets through: no element of these does anything, and no attribute but a class is left.
ELEMENTS = {"b", "br", "code", "div", "em", "i", "li", "ol", "p", "pre", "span", "strong", "ul"} | {
    "caption", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
}  # fmt: skip
# What files of pixels are, as Pillow calls it.
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG"}
# What a drawing may be made of: shapes, the pixels that it holds, and references to its own parts.
SHAPES = {"clipPath", "defs", "g", "image", "path", "rect", "style", "svg", "use"}
MARKS = {
    "class", "clip-path", "d", "height", "href", "id", "preserveAspectRatio", "style", "transform", "type",
    "version", "viewBox", "width", "x", "y",
}  # fmt: skip
# A line's end would be written as a number between `&` and `;`, where `render/drawings.py` sees an end.
OWN_PIXELS = re.compile(r"data:image/png;base64,([A-Za-z0-9+/= ]+)")
# A small file can unpack to more than a machine holds; no figure of the book has a tenth of so many.
MOST_PIXELS = 20_000_000
# Properties with numbers, words, colors and parts of the drawing: no escape, text or address.
PLAIN_STYLE = re.compile(r"(?:[\w\s:;.,#%*{}-]|url\(#[\w-]+\))*")
NAMESPACES = {"": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
# What `dlbook.pages.save` calls files: beside the site, no browser takes these for a page.
SAVED = re.compile(r"[\w-]+\.(json|safetensors)", re.ASCII)


def harmless(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return an executed notebook whose outputs are text, pictures, and HTML and Markdown that do nothing.

    Of an output that comes in several forms, the others are left out. A picture must stay one, as a caption
    behind none fails the build.

    Raises:
        ValueError: an output has no such form, or was a picture and is none that can be shown.
    """
    # No state of widgets, and no lexer but Python's.
    python = {"name": "python", "pygments_lexer": "ipython3"}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": notebook.metadata.kernelspec, "language_info": python}
    )
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                continue
            forms = {kind: _harmless(kind, content) for kind, content in output.data.items()}
            output.data = {kind: content for kind, content in forms.items() if content is not None}
            output.metadata = {}
            if not output.data:
                raise ValueError(f"an output is neither text nor a picture, but {', '.join(forms)}")
            if any(map(_draws, forms)) and not any(map(_draws, output.data)):
                raise ValueError("a picture is damaged, or more than a picture")
    nbformat.validate(notebook)
    return notebook


def saved_files(artifacts: Path, record: Record) -> list[Path]:
    """Return the files that a page saved for others.

    Raises:
        ValueError: one has a name that no page gives a file, or is not what the record says.
        OSError: one is missing.
    """
    paths = []
    for saved in record.files.values():
        path = artifacts / saved.file
        if not SAVED.fullmatch(saved.file) or hashlib.sha256(path.read_bytes()).hexdigest() != saved.sha256:
            raise ValueError(f"the saved file {saved.file!r} is not the one of the record")
        paths.append(path)
    return paths


def _draws(kind: str) -> bool:
    return kind.startswith("image/")


def _harmless(kind: str, content: object) -> str | None:
    """Return one form of an output, or None where it could act."""
    if not isinstance(content, str):
        return None
    if kind == "text/plain" or (kind == "text/markdown" and is_plain_markdown(content)):
        return content
    if kind in PICTURES:
        return content if _is_picture(content, PICTURES[kind]) else None
    if kind == "image/svg+xml":
        return plain_drawing(content)
    return plain_html(content) if kind == "text/html" else None


def is_plain_markdown(text: str) -> bool:
    """Tell whether Markdown consists of paragraphs, lists and tables of words alone."""
    parser = create_md_parser(MdParserConfig(gfm_only=True), RendererHTML)  # as `_config.yml` lets it be read
    blocks = parser.parse(text)
    kinds = {token.type for block in blocks for token in (block, *(block.children or ()))}
    return not ACTIVE.search(text) and all(
        kind in PLAIN or kind.removesuffix("_open").removesuffix("_close") in ENCLOSING for kind in kinds
    )


def plain_drawing(text: str) -> str | None:
    """Return a drawing as it was understood; None where it is more than shapes, or asks for another file."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return None
    for about in root.findall("metadata", NAMESPACES):
        root.remove(about)
    if not all(map(_only_draws, root.iter())):
        return None
    for prefix, address in NAMESPACES.items():
        ET.register_namespace(prefix, address)
    return ET.tostring(root, encoding="unicode")


def _only_draws(element: ET.Element) -> bool:
    space, _, name = element.tag.rpartition("}")
    if space != "{" + NAMESPACES[""] or name not in SHAPES or (element.tail or "").strip():
        return False
    said = element.text or ""
    if said.strip() and not (name == "style" and PLAIN_STYLE.fullmatch(said)):
        return False
    marks = {key.removeprefix("{" + NAMESPACES["xlink"] + "}"): value for key, value in element.items()}
    return marks.keys() <= MARKS and all(map(_is_plain, marks, marks.values()))


def _is_plain(mark: str, value: str) -> bool:
    if mark in ("style", "clip-path"):
        return PLAIN_STYLE.fullmatch(value) is not None
    if mark == "href" and (pixels := OWN_PIXELS.fullmatch(value)):
        return _is_picture(pixels[1], "PNG")
    # `render/drawings.py` takes pixels for a picture wherever they stand.
    return "data:" not in value and (mark != "href" or value.startswith("#"))


def _is_picture(encoded: str, kind: str) -> bool:
    """Tell whether this is, in base64, a file of that kind that can be shown to its last pixel."""
    try:
        file = io.BytesIO(base64.b64decode("".join(encoded.split()), validate=True))
        with Image.open(file, formats=[kind]) as image:
            if image.width * image.height > MOST_PIXELS:
                return False
            image.load()
            return True
    except Exception:  # on damaged bytes, Pillow's decoders raise a dozen kinds of errors
        return False


def plain_html(text: str) -> str | None:
    """Return HTML as it was understood; None where it has more than text and elements that only look."""
    soup = BeautifulSoup(text, "html.parser")
    return str(soup) if all(map(_only_looks, soup.descendants)) else None


def _only_looks(node: object) -> bool:
    if isinstance(node, Tag):
        attributes: Mapping[str, object] = node.attrs
        return node.name in ELEMENTS and attributes.keys() <= {"class"}
    return type(node) is NavigableString  # and no comment, or another kind of it
