"""What a chapter's prose refers to outside itself, as text that stands in a notebook."""

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bookbuild.render.placeholders import UnknownError


class NoPlainFormError(ValueError):
    """A chapter uses markup that notebooks do not know, and that the book has no other form for."""


class Place(NamedTuple):
    """Where a label leads to.

    Attributes:
        page: such as ``cnn/mnist-mlp``.
        anchor: in the page; empty for its top.
        text: what a link says that has no text of its own: the heading, or ``(1)`` for an
            equation and ``Figure 1.2`` for a figure.
    """

    page: str
    anchor: str
    text: str


@dataclass
class Surroundings:
    """What a chapter's prose refers to.

    Attributes:
        docname: the chapter, such as ``cnn/mnist-mlp``.
        site: address of the published site, with a slash at the end; empty where there is none.
        number: text of a result in the prose, such as ``accuracy:.1%`` or ``cnn/two::accuracy``.
        provenance: text of what the build knows of the chapter, such as ``minutes:.1f``. As `number`, it
            raises a LookupError for what is not there, and a ValueError for what cannot be so written.
        myst: the extensions of MyST that the book uses.
        references: citation key → ``(label, entry)`` in Markdown, the label as in ``Rose, 1999``.
        titles: page → its title.
        places: label → where it leads to; a label of an equation with ``equation-`` before it, and of a
            figure's number with ``figure-``.
        cited: the citation keys met so far, in their order.
    """

    docname: str
    site: str
    number: Callable[[str], str]
    provenance: Callable[[str], str]
    myst: tuple[str, ...]
    references: Mapping[str, tuple[str, str]]
    titles: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    cited: list[str] = field(default_factory=list)

    def refuse(self, what: str) -> NoPlainFormError:
        """Return the error that this chapter has markup without a plain form."""
        return NoPlainFormError(f"{self.docname}: {what}")

    def cite(self, keys: str) -> str:
        """Return the labels of the sources with these comma-separated keys, in parentheses."""
        return f"({'; '.join(self._labels(keys))})"

    def cite_in_text(self, keys: str) -> str:
        """Return the labels as a part of the sentence: the years alone are in parentheses."""
        parts = [label.rpartition(", ") for label in self._labels(keys)]
        return "; ".join(f"{authors} ({year})" for authors, _, year in parts)

    def _labels(self, keys: str) -> list[str]:
        asked = [key.strip() for key in keys.split(",")]
        for key in asked:
            if key not in self.references:
                raise self.refuse(f"cites {key}, which references.bib lacks")
        self.cited += [key for key in dict.fromkeys(asked) if key not in self.cited]
        return [self.references[key][0] for key in asked]

    def sources(self) -> list[str]:
        """Return the entries of the sources cited so far."""
        return [self.references[key][1] for key in self.cited]

    def page(self, path: str) -> str:
        """Return the page at a path from this chapter's folder or, with a leading slash, from the book's."""
        below = posixpath.join("/", posixpath.dirname(self.docname), path)
        return posixpath.normpath(below).lstrip("/").removesuffix(".md")

    def title(self, page: str) -> str:
        """Return the title of a page."""
        if page not in self.titles:
            raise self.refuse(f"there is no title of {page}")
        return self.titles[page]

    def place(self, label: str) -> Place:
        """Return where a label leads to."""
        if label not in self.places:
            raise self.refuse(f"nothing has the label {label}") from UnknownError(label)
        return self.places[label]

    def link(self, text: str, page: str, anchor: str = "", title: str = "") -> str:
        """Return a link to a page of the site, or the text alone where there is no site.

        Args:
            text: of the link, in Markdown.
            page: such as ``cnn/mnist-mlp``.
            anchor: in the page.
            title: what is shown while the pointer rests on the link.
        """
        if not self.site:
            return text
        address = f"{self.site}{page}.html{f'#{anchor}' if anchor else ''}"
        quoted = title.replace('"', r"\"")
        return f'[{text}]({address} "{quoted}")' if title else f"[{text}]({address})"

    def image(self, path: str, alternative: str) -> str:
        """Return a picture of the site, or its alternative text where there is no site."""
        if self.site:  # Sphinx collects the pictures of all pages in one folder
            return f"![{alternative}]({self.site}_images/{posixpath.basename(path)})"
        return f"*{alternative}*" if alternative else ""
