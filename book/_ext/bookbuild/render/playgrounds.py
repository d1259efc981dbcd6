"""Playgrounds: custom elements that a reader plays with, on what the page itself computed and saved for them.

The scripts lie in ``book/playgrounds`` and not in ``_static``, of which Jupyter Book would load every one on
every page, and as no module. They import one another by plain names, which no ``?v=`` of Sphinx reaches: so
they are served from a folder whose name has their checksum, and no browser mixes old ones with new ones.
"""

import hashlib
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from bookbuild.book import Book
from bookbuild.render.placeholders import Placeholder, Rendering, UnknownError
from dlbook.data.files import draft

SOURCES = "playgrounds"  # beside the pages
FOLDER = "_static/playgrounds"  # in the site
LARGEST = 500_000  # bytes of data that a reader on a phone waits for
NAME = re.compile(r"[a-z]+(-[a-z]+)+")  # what a custom element may be called
# What readers of a script need and browsers do not: comments, types /** … */, indentation, empty lines.
SUPERFLUOUS = re.compile(
    r"^[ \t]*//.*\n|(?<=[;,{}]) // .*|/\*\*(?:(?!\*/)[\s\S])*\*/[ \t]*\n?|^[ \t]+|^\n", re.MULTILINE
)


@dataclass(frozen=True)
class Playground:
    """A playground on a page of the built site, with the addresses that the page has, made absolute.

    Attributes:
        page: such as ``cnn/mnist-mlp``.
        name: of the playground, which is its element's, its script's and its data's.
        script: path of its script, below the site.
        data: path of what the page saved for it, packed; None where it needs none.
        length: of the data, in bytes.
        checksum: SHA-256 of the data.
    """

    page: str
    name: str
    script: str
    data: str | None = None
    length: int = 0
    checksum: str = ""


def playgrounds_of(page: str, html: BeautifulSoup) -> list[Playground]:
    """Return the playgrounds of a built page."""
    return [_read(page, tag) for tag in html.select(".playground[data-script]")]


def _read(page: str, tag: Tag) -> Playground:
    top = page.count("/") * "../"
    said = {name.removeprefix("data-"): str(value) for name, value in tag.attrs.items()}
    data = said["data"].removeprefix(top) if "data" in said else None
    length, checksum = int(said.get("length", 0)), said.get("checksum", "")
    return Playground(page, tag.name, said["script"].removeprefix(top), data, length, checksum)


class PlaygroundElement(nodes.General, nodes.Element):
    """The custom element; its children, the fallback, stand where scripts do not run."""


class PlaygroundPlaceholder(nodes.General, Placeholder):
    """Where a playground goes, until the page's outputs are at hand: of the attribute ``playground``."""

    shows_others: ClassVar[bool] = False

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return the element, and write its data into the site; elsewhere, return the fallback."""
        name, app = self["playground"], rendering.app
        if app.builder.name != "html":
            return [nodes.container("", *self.children)]
        here = app.builder.get_target_uri(rendering.docname)
        script = f"{FOLDER}/{checksum(Path(app.srcdir))}/{name}.js"
        element = PlaygroundElement("", *self.children, playground=name, ids=[name])
        element["attributes"] = {"data-script": relative_uri(here, script)}
        if not self["without_data"]:
            packed = _packed(rendering, name)
            digest = hashlib.sha256(packed).hexdigest()
            address = f"{FOLDER}/data/{name}.{digest[:16]}.tensors"
            _write(Path(app.outdir, address), packed)
            element["attributes"] |= {
                "data-data": relative_uri(here, address),
                "data-length": str(len(packed)),
                "data-checksum": digest,
            }
        return [element]


def _packed(rendering: Rendering, name: str) -> bytes:
    """Return what the page saved for a playground, packed; the same content gives the same bytes."""
    page = rendering.page()
    outputs = page.outputs
    saved = outputs.record.files.get(name) if outputs else None
    if outputs is None or saved is None or not saved.file.endswith(".safetensors"):
        raise UnknownError(
            f"{page.docname} saves nothing for the playground {name}: let a cell call "
            f'pages.save("{name}", {{…tensors…}}), or give the directive :without-data:'
        )
    packed = _gzip((outputs.files / saved.file).read_bytes())
    if len(packed) > LARGEST:
        raise UnknownError(
            f"{page.docname} saves {len(packed):,} bytes for {name}, packed, and {LARGEST:,} is the limit: "
            "round its weights (dlbook.playgrounds.rounded), or save less"
        )
    return packed


def _gzip(content: bytes) -> bytes:
    """Return bytes as gzip packs them. Weights hardly repeat, and a search for repetitions costs room."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, strategy=zlib.Z_FILTERED)
    return packing.compress(content) + packing.flush()


def _write(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        with draft(path) as written:
            written.write_bytes(content)


class PlaygroundDirective(SphinxDirective):
    """``{playground} draw-digit``; its content stands there where scripts do not run."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"without-data": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder with the content."""
        self.assert_has_content()
        name = self.arguments[0]
        if not NAME.fullmatch(name) or not (Path(self.env.srcdir) / SOURCES / f"{name}.js").exists():
            raise self.error(f"there is no playground {name}: {SOURCES}/{name}.js is missing")
        placeholder = PlaygroundPlaceholder(playground=name, without_data="without-data" in self.options)
        self.set_source_info(placeholder)
        self.options["name"] = name  # so that links can lead to it
        self.add_name(placeholder)
        self.state.nested_parse(self.content, self.content_offset, placeholder)
        return [placeholder]


def visit(translator: Any, element: PlaygroundElement) -> None:
    """Open the element, and load its script: here, and so on no page that lacks it."""
    opening = translator.starttag(
        element, element["playground"], "", CLASS="playground", **element["attributes"]
    )
    script = f'<script type="module" src="{element["attributes"]["data-script"]}"></script>'
    translator.body.append(f'{script}\n{opening}<div class="fallback">\n')


def depart(translator: Any, element: PlaygroundElement) -> None:
    """Close the element."""
    translator.body.append(f"</div></{element['playground']}>\n")


def show_fallback(translator: Any, element: PlaygroundElement) -> None:
    """Show the children alone, in what is no website."""


def style(pages_folder: Path) -> str:
    """Return the path of the playgrounds' style sheet, below ``_static``."""
    return f"{Path(FOLDER).name}/{checksum(pages_folder)}/playgrounds.css"


def sources(pages_folder: Path) -> Iterator[Path]:
    """Yield the scripts and the style sheet, in a fixed order."""
    folder = pages_folder / SOURCES
    yield from sorted(path for path in folder.rglob("*") if path.suffix in (".js", ".css"))


def checksum(pages_folder: Path) -> str:
    """Return a checksum over the scripts and the style sheet: the name of the folder they are served from."""
    total = hashlib.sha256()
    for path in sources(pages_folder):
        content = path.read_bytes()
        total.update(f"{path.relative_to(pages_folder).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()[:12]


def publish(app: Sphinx, book: Book) -> None:
    """Copy the scripts into the site, and drop scripts and data that no page of it uses any more."""
    folder = Path(app.outdir, FOLDER)
    if not any(sources(book.pages_folder)):
        shutil.rmtree(folder, ignore_errors=True)
        return
    scripts = folder / checksum(book.pages_folder)
    copy_scripts(book.pages_folder, scripts)
    texts = [path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html")]
    used = {name for text in texts for name in re.findall(rf"{FOLDER}/(?:data/)?([\w.-]+)", text)}
    for path in [*folder.iterdir(), *folder.glob("data/*")]:
        if path.name in used | {"data"} or path == scripts:
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def copy_scripts(pages_folder: Path, target: Path) -> None:
    """Copy the scripts and the style sheet into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sources(pages_folder):
        copy = target / path.relative_to(pages_folder / SOURCES)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(served(path))


def served(path: Path) -> bytes:
    """Return a script or the style sheet as it is served: without comments, a script is a third smaller."""
    text = path.read_text(encoding="utf-8")
    return (SUPERFLUOUS.sub("", text) if path.suffix == ".js" else text).encode()
