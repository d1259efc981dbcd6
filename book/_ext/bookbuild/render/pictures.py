"""Pictures for a slow line: small files, room kept before they come, and none before it is needed."""

import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from bookbuild.render import drawings
from dlbook.data.files import draft

DRAWN = "jupyter_execute"  # where myst-nb writes what cells drew, each under the checksum of its content
# A drawing is sharper, and right in the dark: it is shown up to so many bytes, or times those of the pixels.
LIGHT, HEAVIER = 100_000, 1.5
QUALITY = 90  # of 100, as WebP or JPEG: no difference from PNG is seen in a chart at twice its size
LARGEST_JPEG = 65_500  # pixels of a side, in the library that writes it
MUCH_SMALLER = 2  # JPEG, which blurs lines, is for pictures that become so many times smaller by it
OPTIONS = {"width", "height", "scale", "align"}  # an author's own size, which Sphinx knows how to write


class Picture(nodes.image):
    """An image with its attributes ``shown``: width and height in CSS pixels, and when it loads.

    Where a cell drew it, ``drawn`` is true: on a phone it is then as wide as its text needs (in book.css).
    Of a drawing that is a page's first, ``pixels`` is the file that a service can show.
    """


class PairForms(SphinxTransform):
    """Let a figure that came as pixels and as a drawing be one image, whose ``drawing`` is the other file."""

    default_priority = 200  # before images are collected

    def apply(self) -> None:
        """Take each drawing out of its bundle."""
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") != "mime_bundle":
                continue
            forms = {each.get("mime_type"): each for each in bundle.findall(nodes.container)}
            if {"image/png", "image/svg+xml"} <= forms.keys():
                pixels, drawing = (
                    next(iter(forms[kind].findall(nodes.image))) for kind in ("image/png", "image/svg+xml")
                )
                pixels["drawing"] = self.env.relfn2path(drawing["uri"], self.env.docname)[0]
                bundle.remove(forms["image/svg+xml"])


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let images be small and of known size, the first fetched early, others when a reader comes near."""
    images = [image for image in doctree.findall(nodes.image) if not OPTIONS & set(image.attributes)]
    can_be_shared = False
    for number, image in enumerate(images):
        path = Path(app.srcdir, image["uri"])
        size = _size(path)
        if size is None:
            continue
        picture = Picture(image.rawsource, **image.attributes)
        picture["drawn"] = DRAWN in path.parts
        if picture["drawn"] and path.suffix == ".png":
            smaller = _smaller(path)
            drawing = _drawing(Path(app.srcdir, image["drawing"]), smaller) if "drawing" in image else None
            _show(app, docname, picture, drawing or smaller)
            if drawing and not can_be_shared:
                picture["pixels"] = _add(app, docname, picture, smaller)
                app.builder.images[picture["pixels"]] = app.env.images[picture["pixels"]][1]
        can_be_shared |= picture["drawn"]
        picture["shown"] = {"width": str(size[0]), "height": str(size[1])}
        picture["shown"] |= {"loading": "lazy", "decoding": "async"} if number else {"fetchpriority": "high"}
        image.replace_self(picture)


def make_plain(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let what cells drew be PNG or JPEG, which every e-reader shows."""
    for image in doctree.findall(nodes.image):
        path = Path(app.srcdir, image["uri"])
        if DRAWN in path.parts and path.suffix == ".png":
            _show(app, docname, image, _photograph(path))


def _add(app: Sphinx, docname: str, picture: nodes.image, path: Path) -> str:
    """Tell Sphinx of a file beside the picture's own; return its name there."""
    name = posixpath.join(posixpath.dirname(picture["uri"]), path.name)
    app.env.images.add_file(docname, name)
    return name


def _show(app: Sphinx, docname: str, picture: nodes.image, path: Path) -> None:
    picture["uri"] = _add(app, docname, picture, path)
    picture["candidates"] = {"*": picture["uri"]}


def _size(path: Path) -> tuple[int, int] | None:
    """Return width and height in pixels; None for what is no file of pixels, such as an address."""
    try:
        with Image.open(path) as image:
            return image.size
    except OSError:
        return None


def _smaller(path: Path) -> Path:
    """Return the picture as WebP, or as it is where that is smaller, or WebP cannot hold it.

    The name is the checksum of the picture's content, so what an earlier build wrote is still right.
    """
    smaller = path.with_suffix(".webp")
    with Image.open(path) as image:
        if max(image.size) > drawings.LARGEST_WEBP:
            return path
        if not smaller.exists():
            with draft(smaller) as written:
                image.save(written, "WebP", quality=QUALITY)
    return min(smaller, path, key=lambda each: each.stat().st_size)


def _photograph(path: Path) -> Path:
    """Return the picture as JPEG, or as it is where JPEG cannot hold it, or would not be much smaller."""
    smaller = path.with_suffix(".jpg")
    with Image.open(path) as image:
        transparent = any(image.convert("RGBA").getchannel("A").histogram()[:255])
        if transparent or max(image.size) > LARGEST_JPEG:
            return path
        if not smaller.exists():
            with draft(smaller) as written:
                image.convert("RGB").save(written, "JPEG", quality=QUALITY, subsampling=0)
    return smaller if MUCH_SMALLER * smaller.stat().st_size < path.stat().st_size else path


def _drawing(path: Path, pixels: Path) -> Path | None:
    """Return matplotlib's drawing made for the site's pages; None where a reader would wait longer for it."""
    made = path.with_name(f"{path.stem}-{drawings.MARK}.svg")
    if not made.exists():
        with draft(made) as written:
            written.write_text(drawings.adapt(path.read_text(encoding="utf-8")), encoding="utf-8")
    weight = drawings.weight(made.read_text(encoding="utf-8"))
    return made if weight <= max(LIGHT, HEAVIER * pixels.stat().st_size) else None


def visit(translator: Any, node: Picture) -> None:
    """Write the image."""
    builder = translator.builder
    address = node["uri"]
    if address in builder.images:
        address = posixpath.join(builder.imgpath, quote(builder.images[address]))
    attributes = {"src": address, "alt": node.get("alt", "")} | node["shown"]
    if node["drawn"]:
        attributes["style"] = f"--drawn: {node['shown']['width']}px"
        kind = "drawn drawing" if address.endswith(".svg") else "drawn"
        translator.body.append(f'<div class="{kind}">')
    translator.body.append(translator.emptytag(node, "img", "\n", **attributes))


def depart(translator: Any, node: Picture) -> None:
    """Close what the image stands in; the image itself has no end tag."""
    if node["drawn"]:
        translator.body.append("</div>\n")
