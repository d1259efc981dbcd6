"""Roles, links, pictures and formulas in a line of MyST, as Markdown that Colab and JupyterLab render.

`RENDERERS` is what mdformat asks how to write a token, with `Surroundings` in ``context.env["around"]``.
"""

import html
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from markdown_it.token import Token
from mdformat.renderer import DEFAULT_RENDERERS, RenderContext, RenderTreeNode
from mdformat.renderer.typing import Postprocess, Render

from bookbuild.render.surroundings import NoPlainFormError, Surroundings

TITLED = re.compile(r"(?P<text>.*?)\s*<(?P<target>[^<>]+)>", re.DOTALL)


def children(node: RenderTreeNode, context: RenderContext, separator: str = "") -> str:
    """Return what stands inside a node."""
    return separator.join(text for text in (child.render(context) for child in node.children) if text)


def within(node: RenderTreeNode, *kinds: str) -> bool:
    """Tell whether a node stands in one of these kinds, at any depth."""
    while node.parent:
        node = node.parent
        if node.type in kinds:
            return True
    return False


def literal(text: str, context: RenderContext) -> str:
    """Return Markdown that shows a text as it is."""
    return RenderTreeNode([Token("text", "", 0, content=text)], create_root=False).render(context)


def formula(content: str, node: RenderTreeNode, context: RenderContext) -> str:
    """Return a formula in one line: JupyterLab takes all between the dollars, a quotation's marks too."""
    line = " ".join(content.split())
    if within(node, "table"):  # which splits at every bar
        line = line.replace("|", r"\vert ")
    return f"${line}$"


def footnote_mark(node: RenderTreeNode, context: RenderContext) -> str:
    """Return what stands for a footnote in the text and before the footnote."""
    return f"<sup>{html.escape(node.meta['label'])}</sup>"


def _role(node: RenderTreeNode, context: RenderContext) -> str:
    around, name, content = context.env["around"], node.meta["name"], node.content
    if name not in ROLES:
        raise around.refuse(f"the role {name} has no plain form")
    try:
        return ROLES[name](content, node, context)
    except NoPlainFormError:
        raise
    except (LookupError, ValueError) as problem:
        raise around.refuse(f"{{{name}}}`{content}`: {problem!r}") from problem


def _said(said: Callable[[Surroundings, str], str]) -> Callable[[str, RenderTreeNode, RenderContext], str]:
    """Return the plain form of a role that shows a text of its surroundings."""
    return lambda content, _, context: literal(said(context.env["around"], content), context)


def _titled(content: str) -> tuple[str, str]:
    """Return the text, empty where there is none, and the target of ``text <target>``."""
    found = TITLED.fullmatch(content)
    return (found["text"], found["target"]) if found else ("", content)


def _doc(content: str, node: RenderTreeNode, context: RenderContext) -> str:
    around = context.env["around"]
    text, target = _titled(content)
    page = around.page(target)
    return around.link(literal(text or around.title(page), context), page)


def _ref(content: str, node: RenderTreeNode, context: RenderContext) -> str:
    around = context.env["around"]
    text, label = _titled(content)
    place = around.place(label)
    return around.link(literal(text or place.text, context), place.page, place.anchor)


def _eq(content: str, node: RenderTreeNode, context: RenderContext) -> str:
    return _ref(f"equation-{content}", node, context)


def _numref(content: str, node: RenderTreeNode, context: RenderContext) -> str:
    return _ref(f"figure-{content}", node, context)


ROLES: Mapping[str, Callable[[str, RenderTreeNode, RenderContext], str]] = {
    "result": _said(lambda around, content: around.number(content)),
    "provenance": _said(lambda around, content: around.provenance(content)),
    "footcite:p": _said(Surroundings.cite),
    "footcite:t": _said(Surroundings.cite_in_text),
    "term": _said(lambda around, content: _titled(content)[0] or content),
    "math": formula,
    "doc": _doc,
    "ref": _ref,
    "eq": _eq,
    "numref": _numref,
}


def _link(node: RenderTreeNode, context: RenderContext) -> str:
    around, address = context.env["around"], str(node.attrs["href"])
    scheme = urlsplit(address).scheme
    if node.markup == "linkify" and not node.children[0].content.startswith(scheme):
        return children(node, context)  # a file's name such as book.md is no address
    if scheme in ("http", "https", "mailto"):
        return DEFAULT_RENDERERS["link"](node, context)
    text = "" if node.info == "auto" else children(node, context)
    title = str(node.attrs.get("title", ""))
    path, _, anchor = unquote(address).removeprefix("project:").partition("#")
    if path.endswith(".md"):
        page = around.page(path)
        return around.link(text or literal(around.title(page), context), page, anchor, title)
    place = around.place(path or anchor)
    return around.link(text or literal(place.text, context), place.page, place.anchor, title)


def _image(node: RenderTreeNode, context: RenderContext) -> str:
    address = str(node.attrs["src"])
    if urlsplit(address).scheme:
        return DEFAULT_RENDERERS["image"](node, context)
    return context.env["around"].image(unquote(address), node.content)


def _escape_dollars(text: str, node: RenderTreeNode, context: RenderContext) -> str:
    return text.replace("$", r"\$")


RENDERERS: Mapping[str, Render] = {
    "myst_role": _role,
    "math_inline": lambda node, context: formula(node.content, node, context),
    "link": _link,
    "image": _image,
    "footnote_ref": footnote_mark,
}
POSTPROCESSORS: Mapping[str, Postprocess] = {"text": _escape_dollars}
