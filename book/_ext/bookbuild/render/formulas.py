"""Formulas as MathML, written when the site is built: browsers show it, and screen readers speak it.

So no page loads a program that typesets formulas, and they can be read where scripts do not run.
"""

import html
import re
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)
NAME = "mathml"  # what `html_math_renderer` in _config.yml calls it
CONVERTER = LatexToMathML(fancy_error=False)
# The space below a row, as in \\[1ex]: the converter would show it as text.
ROW_SPACE = re.compile(r"(\\\\)\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\]")
# amsmath numbers these row by row; the book has one number for a formula, which links lead to.
NUMBERED = re.compile(r"(\\(?:begin|end)\{(?:equation|align|gather|multline))\}")
# What belongs to the formula before it, and to the one behind it.
CLOSING = re.compile(r"[.,;:!?)\]%’”–-]+")
OPENING = re.compile(r"[(\[‘“]+$")
# Browsers hang the sign of a root by its top, and it is higher than a letter: what it covers must be as high.
STRUT = '<mspace width="0" height="0.78em" depth="0.22em"/>'


def add_renderer(app: Sphinx) -> None:
    """Tell Sphinx of the renderer."""
    app.add_html_math_renderer(NAME, (visit_inline, None), (visit_block, None))


def keep_with_punctuation(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let no line begin with the comma behind a formula, or end with the bracket before one.

    Browsers may break a line at both sides of a formula, whatever stands there.
    """
    for formula in list(doctree.findall(nodes.math)):
        parent: nodes.Element = formula.parent
        place = parent.index(formula)
        before, _, after = [None, *parent.children, None][place : place + 3]
        opening = OPENING.search(before) if isinstance(before, nodes.Text) else None
        closing = CLOSING.match(after) if isinstance(after, nodes.Text) else None
        if not opening and not closing:
            continue
        kept = nodes.inline(classes=["unbroken"])
        parent.replace(formula, kept)
        if opening:
            parent.replace(before, nodes.Text(before[: opening.start()]))
            kept += nodes.Text(opening.group())
        kept += formula
        if closing:
            parent.replace(after, nodes.Text(after[closing.end() :]))
            kept += nodes.Text(closing.group())


def to_mathml(tex: str, is_block: bool = False) -> str:
    """Return a formula as a ``<math>`` element.

    Args:
        tex: as LaTeX has it between its dollars, or a whole environment of amsmath.
        is_block: whether it stands on lines of its own.

    Raises:
        LatexError: it holds what the converter does not know, or is unfinished.
    """
    plain = NUMBERED.sub(r"\1*}", ROW_SPACE.sub(r"\1", tex))
    converted = CONVERTER.convert_with_local_state(plain, displaystyle=is_block)
    return converted.replace("<msqrt>", f"<msqrt>{STRUT}")


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula in a sentence."""
    opening = translator.starttag(node, "span", "", CLASS="math notranslate")
    translator.body.append(f"{opening}{_converted(node, node.astext())}</span>")
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a formula on lines of its own, with its number and the link to it."""
    translator.body.append(translator.starttag(node, "div", CLASS="math notranslate"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    tex = node.astext() if node["nowrap"] else _aligned(node.astext())
    translator.body.append(f"{_converted(node, tex, is_block=True)}</div>\n")
    raise nodes.SkipNode


def _aligned(text: str) -> str:
    """Return one formula: in Sphinx, empty lines part several, and rows need no environment."""
    parts = [part.strip() for part in text.split("\n\n") if part.strip()]
    rows = "\\\\\n".join(parts)
    # What has an environment of its own needs no second one.
    is_plain = r"\\" in rows and r"\begin" not in rows
    return rf"\begin{{aligned}}{rows}\end{{aligned}}" if is_plain or len(parts) > 1 else rows


def _converted(node: nodes.Node, tex: str, is_block: bool = False) -> str:
    try:
        return to_mathml(tex, is_block)
    except LatexError as problem:
        LOGGER.warning(
            "the formula %s cannot be written as MathML: %s",
            node.astext(),
            problem,
            location=node,
            type="bookbuild",
            subtype="formula",
        )
        return f"<code>{html.escape(node.astext())}</code>"
