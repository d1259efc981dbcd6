"""MyST as Markdown that Colab and JupyterLab render.

They know neither roles nor directives. The parser that reads the book's pages reads the text here too, and
mdformat writes its tokens back as Markdown. What is not CommonMark has a plain form here or in `roles`;
markup without one is an error, so that no reader meets it raw.
"""

import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdformat.renderer import DEFAULT_RENDERERS, MDRenderer, RenderContext, RenderTreeNode
from mdformat.renderer.typing import Render
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from bookbuild.render import roles
from bookbuild.render.roles import children
from bookbuild.render.surroundings import Surroundings

HEAD = re.compile(r"\{(?P<name>[^{}\s]+)\}\s*(?P<argument>.*)")
OPTION = re.compile(r"\s*:(?P<key>[\w-]+):(?P<value>.*)")
ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.DOTALL)
MARKS = {"text-align:left": ":--", "text-align:center": ":-:", "text-align:right": "--:"}


def plain_markdown(text: str, around: Surroundings, defined: Mapping[str, Any] | None = None) -> str:
    """Turn MyST into Markdown that Colab and JupyterLab render.

    Args:
        text: a page without its front matter, or a part of it.
        around: what it refers to.
        defined: the `definitions` of the page that the text is a part of.

    Raises:
        NoPlainFormError: a role or directive has no plain form, or refers to what is not there.
    """
    return _plain(text, {**(defined or {}), "around": around, "quoted": False})


def definitions(text: str, around: Surroundings) -> dict[str, Any]:
    """Return the targets of links and the footnotes that a page defines, for all its parts."""
    found: dict[str, Any] = {}
    _parser(around.myst).parse(text, found)
    return found


@functools.cache
def _parser(extensions: tuple[str, ...]) -> MarkdownIt:
    parser = create_md_parser(MdParserConfig(enable_extensions=set(extensions)), RendererHTML)
    parser.disable("front_matter")  # a part of a page may begin with a line
    parser.options["parser_extension"] = [
        SimpleNamespace(RENDERERS=RENDERERS, POSTPROCESSORS=roles.POSTPROCESSORS)
    ]
    parser.options["mdformat"] = {"number": True}  # lists count 1, 2, 3
    return parser


def _plain(text: str, env: dict[str, Any]) -> str:
    return _written(_parser(env["around"].myst).parse(f"{text.rstrip()}\n", env), env)


def _plain_line(text: str, env: dict[str, Any]) -> str:
    return _written(_parser(env["around"].myst).parseInline(text, env), env)


def _written(tokens: Sequence[Token], env: dict[str, Any]) -> str:
    tree = RenderTreeNode(tokens)
    for node in tree.walk():
        if node.type not in RENDERERS and node.type not in DEFAULT_RENDERERS:
            raise env["around"].refuse(f"the {node.type} {node.content} has no plain form")
    options = _parser(env["around"].myst).options
    return MDRenderer().render_tree(tree, options, env, finalize=False)


def _lines(node: RenderTreeNode, context: RenderContext) -> str:
    return children(node, context, "\n")


def _blocks(node: RenderTreeNode, context: RenderContext) -> str:
    return children(node, context, "\n\n")


def _nothing(node: RenderTreeNode, context: RenderContext) -> str:
    return ""


def _display(node: RenderTreeNode, context: RenderContext) -> str:
    label = node.info if node.type == "math_block_label" else ""
    return _displayed(node.content, label, node, context)


def _displayed(formula: str, label: str, node: RenderTreeNode, context: RenderContext) -> str:
    """Return a displayed formula, broken and numbered as Sphinx does.

    It has no empty line, and in a quotation it is one line: JupyterLab takes all between the dollars, the
    quotation's marks too.
    """
    parts = [_split(part.strip()) for part in re.split(r"\n\s*\n", formula) if part.strip()]
    if len(parts) > 1:
        parts = [r"\begin{gathered}", " \\\\\n".join(parts), r"\end{gathered}"]
    if label:
        parts.append(rf"\tag*{{{context.env['around'].place(f'equation-{label}').text}}}")
    lines = ["$$", *parts, "$$"]
    quoted = context.env["quoted"] or roles.within(node, "blockquote")
    return " ".join(" ".join(lines).split()) if quoted else "\n".join(lines)


def _split(formula: str) -> str:
    broken = r"\\" in ENVIRONMENT.sub("", formula)
    return f"\\begin{{split}}\n{formula}\n\\end{{split}}" if broken else formula


def _head(node: RenderTreeNode, context: RenderContext) -> str:
    marks = [MARKS.get(str(cell.attrs.get("style")), "---") for cell in node.children[0].children]
    return f"{_lines(node, context)}\n| {' | '.join(marks)} |"


def _row(node: RenderTreeNode, context: RenderContext) -> str:
    return f"| {' | '.join(cell.render(context) for cell in node.children)} |"


def _cell(node: RenderTreeNode, context: RenderContext) -> str:
    return children(node, context).replace("|", r"\|")


def _term(node: RenderTreeNode, context: RenderContext) -> str:
    return f"**{children(node, context)}**"


def _meaning(node: RenderTreeNode, context: RenderContext) -> str:
    first, *rest = _blocks(node, context).splitlines()
    return "\n".join([f"- {first}", *(f"  {line}".rstrip() for line in rest)])


def _footnote(node: RenderTreeNode, context: RenderContext) -> str:
    return f"{roles.footnote_mark(node, context)} {_blocks(node, context)}"


class _Directive(NamedTuple):
    name: str
    argument: str
    options: dict[str, str]
    body: str
    node: RenderTreeNode


def _fence(node: RenderTreeNode, context: RenderContext) -> str:
    head = HEAD.fullmatch(node.info.strip())
    if head is None and node.type == "fence":
        return DEFAULT_RENDERERS["fence"](node, context)
    around, name = context.env["around"], head["name"] if head else node.info
    if head is None or name not in DIRECTIVES:
        raise around.refuse(f"the directive {name} has no plain form")
    assert node.map is not None
    if node.map[1] - node.map[0] < node.content.count("\n") + 2:
        raise around.refuse(f"the directive {name} is not closed")
    return DIRECTIVES[name](_Directive(name, head["argument"], *_options(node.content), node), context)


def _options(content: str) -> tuple[dict[str, str], str]:
    """Return a directive's options, of the lines ``:key: value`` or as YAML, and its body."""
    if content.startswith("---\n"):
        given, _, body = content.removeprefix("---\n").partition("\n---\n")
        return yaml.safe_load(given) or {}, body
    lines = content.strip("\n").splitlines()
    found = list(itertools.takewhile(bool, map(OPTION.match, lines)))
    options = {option["key"]: option["value"].strip() for option in found if option}
    return options, "\n".join(lines[len(found) :])


def _math(directive: _Directive, context: RenderContext) -> str:
    formula = f"{directive.argument}\n\n{directive.body}"
    return _displayed(formula, directive.options.get("label", ""), directive.node, context)


def _admonition(directive: _Directive, context: RenderContext) -> str:
    """Return a quotation under a title; ``{note} text`` begins with its text."""
    if "dropdown" in directive.options.get("class", "").split():
        return _dropdown(directive, context)
    env = {**context.env, "quoted": True}
    title, body = _title(directive), directive.body
    if directive.name != "admonition":
        body = f"{directive.argument}\n{body}"
    return _quotation(f"**{_plain_line(title, env)}**\n\n{_plain(body, env)}")


def _margin(directive: _Directive, context: RenderContext) -> str:
    """Return a side remark as a quotation: a notebook has no margin."""
    return _quotation(_plain(f"{directive.argument}\n{directive.body}", {**context.env, "quoted": True}))


def _quotation(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _title(directive: _Directive) -> str:
    return directive.argument if directive.name in ("admonition", "dropdown") else NAMED[directive.name]


def _dropdown(directive: _Directive, context: RenderContext) -> str:
    """Return what a click opens; its title is HTML, in which no Markdown is read."""
    title = MarkdownIt().renderInline(_plain_line(directive.argument, dict(context.env)))
    body = _plain(directive.body, dict(context.env))
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def _figure(directive: _Directive, context: RenderContext) -> str:
    """Return a picture and its caption."""
    alternative = roles.literal(directive.options.get("alt", ""), context)
    picture = _plain_line(f"![{alternative}](<{directive.argument}>)", dict(context.env))
    return f"{picture}\n\n{_plain(directive.body, dict(context.env))}".strip()


def _caption(directive: _Directive, context: RenderContext) -> str:
    """Return a figure's number and what it shows: a notebook's figure stands above."""
    name = context.env["around"].place(f"figure-{directive.argument}").text
    return f"**{name}.** {_plain(directive.body, dict(context.env))}"


def _playground(directive: _Directive, context: RenderContext) -> str:
    """Return a link to the playground, which runs on the page alone, and what stands in its place."""
    around = context.env["around"]
    link = around.link("the page", around.docname, anchor=directive.argument)
    fallback = _plain(directive.body, dict(context.env))
    return f"*There is a playground here: {directive.argument}. It runs on {link}.*\n\n{fallback}".strip()


def _sources(directive: _Directive, context: RenderContext) -> str:
    return "\n".join(f"- {entry}" for entry in context.env["around"].sources())


# The admonitions that have a name, and their titles.
NAMES = ("attention", "caution", "danger", "error", "hint", "important", "note", "tip", "warning")
NAMED = {name: name.capitalize() for name in NAMES} | {"seealso": "See also"}
DIRECTIVES: Mapping[str, Callable[[_Directive, RenderContext], str]] = {
    "math": _math,
    "admonition": _admonition,
    **dict.fromkeys(NAMED, _admonition),
    "dropdown": _dropdown,
    "margin": _margin,
    "caption": _caption,
    "figure": _figure,
    "image": _figure,
    "page-figure": lambda directive, context: "",  # the notebook draws it anew, or it is another page's
    "playground": _playground,
    "footbibliography": _sources,
    "promises": lambda directive, context: "",
}
RENDERERS: Mapping[str, Render] = {
    **roles.RENDERERS,
    "fence": _fence,
    "colon_fence": _fence,
    "math_block": _display,
    "math_block_label": _display,
    "amsmath": _display,
    "table": _lines,
    "thead": _head,
    "tbody": _lines,
    "tr": _row,
    "th": _cell,
    "td": _cell,
    "dl": _blocks,
    "dt": _term,
    "dd": _meaning,
    "footnote_reference": _footnote,
    "footnote_anchor": _nothing,
    "myst_target": _nothing,
    "myst_line_comment": _nothing,
    "myst_block_break": _nothing,
}
