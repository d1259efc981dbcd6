"""What a figure is called: its number, which other pages can name, and a sentence that says what it shows.

A caption is prose, so it stands behind the cell that draws its figure and not in the cell: whoever changes a
word of it executes nothing.
"""

from collections.abc import Iterator

from docutils import nodes
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from bookbuild.render.figures import PageFigure

LOGGER = logging.getLogger(__name__)


class Caption(nodes.General, nodes.Element):
    """A caption that has not found its figure yet; its ``label`` names the figure."""


class CaptionDirective(SphinxDirective):
    """``{caption} fig-two-digits`` behind a cell with a figure; its body is one paragraph."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Leave the caption for `GiveCaptions`."""
        parsed = self.parse_content_to_nodes()
        if len(parsed) != 1 or not isinstance(parsed[0], nodes.paragraph):
            raise self.error("a caption is one paragraph")
        caption = Caption("", *parsed[0].children, label=nodes.fully_normalize_name(self.arguments[0]))
        self.set_source_info(caption)
        return [caption]


class GiveCaptions(SphinxTransform):
    """Put each caption and the picture before it into one figure, which Sphinx numbers."""

    default_priority = 200  # before labels are collected

    def apply(self) -> None:
        """Give the document's captions to its figures."""
        for caption in list(self.document.findall(Caption)):
            picture = picture_before(caption)
            if picture is None:
                message = f"no figure stands before the caption {caption['label']}"
                LOGGER.warning(message, location=caption, type="bookbuild", subtype="caption")
                caption.parent.remove(caption)
                continue
            figure = nodes.figure(names=[caption["label"]], classes=["captioned"])
            figure.source, figure.line = caption.source, caption.line
            picture.replace_self(figure)
            figure += [picture, nodes.caption("", "", *caption.children)]
            caption.parent.remove(caption)
            self.document.note_explicit_target(figure)


def picture_before(caption: Caption) -> nodes.Element | None:
    """Return what draws the figure before a caption: of a cell its last picture, in all its formats."""
    before = caption.parent[: caption.parent.index(caption)]
    if not before or not isinstance(before[-1], nodes.Element):
        return None
    bundles = [
        node for node in before[-1].findall(nodes.container) if node.get("nb_element") == "mime_bundle"
    ]
    shown = [bundle for bundle in bundles if any(bundle.findall(nodes.image))]
    if shown:
        return shown[-1]
    return before[-1] if isinstance(before[-1], nodes.image | PageFigure) else None


def numbers(env: BuildEnvironment) -> Iterator[tuple[str, str, str, str]]:
    """Yield each numbered figure's label, page, anchor and name, such as ``Figure 4.2``."""
    standard, style = env.get_domain("std"), env.config.numfig_format["figure"]
    for label, (page, anchor, _) in standard.labels.items():  # type: ignore[attr-defined]
        number = env.toc_fignumbers.get(page, {}).get("figure", {}).get(anchor)
        if number:
            yield label, page, anchor, style % ".".join(map(str, number))
