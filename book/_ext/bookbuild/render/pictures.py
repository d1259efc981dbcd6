"""Pictures for a slow line: small files, room kept before they come, and none before it is needed."""

import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

DRAWN = "jupyter_execute"  # where myst-nb writes what cells drew, each under the checksum of its content
QUALITY = 90  # of 100: no difference from PNG is seen in a chart at twice its size
OPTIONS = {"width", "height", "scale", "align"}  # an author's own size, which Sphinx knows how to write


class Picture(nodes.image):
    """An image with its attributes ``shown``: width and height in CSS pixels, and when it loads.

    Where a cell drew it, ``drawn`` is true: on a phone it is then as wide as its text needs (in book.css).
    """


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let images be small and of known size, the first fetched early, others when a reader comes near."""
    if app.builder.name != "html":
        return
    images = [image for image in doctree.findall(nodes.image) if not OPTIONS & set(image.attributes)]
    for number, image in enumerate(images):
        path = Path(app.srcdir, image["uri"])
        size = _size(path)
        if size is None:
            continue
        picture = Picture(image.rawsource, **image.attributes)
        picture["drawn"] = DRAWN in path.parts
        if picture["drawn"] and path.suffix == ".png":
            smaller = posixpath.join(posixpath.dirname(image["uri"]), _smaller(path).name)
            app.env.images.add_file(docname, smaller)
            picture["uri"], picture["candidates"] = smaller, {"*": smaller}
        picture["shown"] = {"width": str(size[0]), "height": str(size[1])}
        picture["shown"] |= {"loading": "lazy", "decoding": "async"} if number else {"fetchpriority": "high"}
        image.replace_self(picture)


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height in pixels; None for what is no file of pixels, such as an address."""
    try:
        with Image.open(path) as image:
            return image.size
    except OSError:
        return None


def _smaller(path: Path) -> Path:
    """Return the picture as WebP, or as it is where that is smaller.

    The name is the checksum of the picture's content, so what an earlier build wrote is still right.
    """
    smaller = path.with_suffix(".webp")
    if not smaller.exists():
        unfinished = path.with_suffix(".unfinished")
        with Image.open(path) as image:
            image.save(unfinished, "WebP", quality=QUALITY)
        unfinished.replace(smaller)
    return min(smaller, path, key=lambda each: each.stat().st_size)


def visit(translator: Any, node: Picture) -> None:
    """Write the image."""
    builder = translator.builder
    address = node["uri"]
    if address in builder.images:
        address = posixpath.join(builder.imgpath, quote(builder.images[address]))
    attributes = {"src": address, "alt": node.get("alt", "")} | node["shown"]
    if node["drawn"]:
        attributes["style"] = f"--drawn: {node['shown']['width']}px"
        translator.body.append('<div class="drawn">')
    translator.body.append(translator.emptytag(node, "img", "\n", **attributes))


def depart(translator: Any, node: Picture) -> None:
    """Close what the image stands in; the image itself has no end tag."""
    if node["drawn"]:
        translator.body.append("</div>\n")
