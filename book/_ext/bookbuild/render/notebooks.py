"""A chapter as a notebook that Colab and JupyterLab show well: Markdown alone, no outputs, an install cell.

The pages are MyST; notebooks elsewhere know neither its roles nor its directives. Each has a plain form
here, and one that has none is an error, so that no reader meets raw markup.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jupytext
import nbformat
from chapters import FRONT_MATTER

FENCE = re.compile(r"^(?P<fence>:{3,}|`{3,})\{(?P<name>[\w-]+)\}[ \t]*(?P<argument>.*)$")
OPTION = re.compile(r"^:[\w-]+:")
ROLE = re.compile(r"\{(?P<name>[\w:-]+)\}`(?P<content>[^`]*)`")
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?!https?:|mailto:)(?P<path>[^)#\s]+)\.md(?P<anchor>#[^)\s]*)?\)")
TITLED_TEXT = re.compile(r"^(?P<text>.*?)\s*<(?P<target>[^<>]+)>$", re.DOTALL)
ADMONITIONS = ("note", "tip", "warning", "important", "caution", "attention", "danger", "hint", "seealso")

INSTALL = """\
# Install the book's package at the commit of the page. Where it is there already, nothing happens;
# what else is installed keeps its version.
import importlib.metadata
import importlib.util
import pathlib
import tempfile

if importlib.util.find_spec("dlbook") is None:
    installed = pathlib.Path(tempfile.mkdtemp()) / "installed.txt"
    installed.write_text("\\n".join(sorted({{
        f"{{package.metadata['Name']}}=={{package.version}}"
        for package in importlib.metadata.distributions()
    }})))
    %pip install --quiet --constraint {{installed}} "dlbook @ git+{repository}@{commit}"
"""


class NoPlainFormError(ValueError):
    """A chapter uses markup that notebooks do not know, and for which this module has no other form."""


@dataclass
class Surroundings:
    """What a chapter's prose refers to.

    Attributes:
        docname: the chapter, such as ``cnn/mnist-mlp``.
        site: address of the published site, with a slash at the end; empty where there is none.
        glued: key → text of the numbers in the prose; other pages' keys as ``page.md::key``.
        references: citation key → ``(label, entry)`` in Markdown.
        cited: the citation keys met so far, in their order.
    """

    docname: str
    site: str
    glued: Mapping[str, str]
    references: Mapping[str, tuple[str, str]]
    cited: list[str] = field(default_factory=list)

    def cite(self, keys: str) -> str:
        """Return the labels of the sources with these comma-separated keys."""
        labels = []
        for key in (part.strip() for part in keys.split(",")):
            if key not in self.references:
                raise NoPlainFormError(f"{self.docname} cites {key}, which references.bib lacks")
            if key not in self.cited:
                self.cited.append(key)
            labels.append(self.references[key][0])
        return f"({'; '.join(labels)})"

    def number(self, content: str) -> str:
        """Return a glued number's text."""
        key = content.removesuffix(":s")
        if key not in self.glued:
            raise NoPlainFormError(f"{self.docname} shows {key}, which was not glued")
        return self.glued[key]

    def link(self, text: str, path: str, anchor: str = "") -> str:
        """Return a link to a page of the site, or the text alone where there is no site.

        Args:
            text: of the link.
            path: of the page, from this chapter's folder or, with a leading slash, from the book's;
                without ``.md``.
            anchor: in the page, with its ``#``.
        """
        below = posixpath.normpath(posixpath.join("/", posixpath.dirname(self.docname), path)).lstrip("/")
        return f"[{text}]({self.site}{below}.html{anchor})" if self.site else text


def plain_markdown(text: str, around: Surroundings) -> str:
    """Turn MyST into Markdown that Colab and JupyterLab render.

    Raises:
        NoPlainFormError: a role or directive has no plain form.
    """
    lines = iter(text.splitlines())
    done: list[str] = []
    code_fence = ""
    for line in lines:
        directive = FENCE.match(line)
        if directive and not code_fence:
            done += _directive(directive, _until_closed(lines, directive["fence"]), around)
            continue
        fence = re.match(r"`{3,}|~{3,}", line)
        if fence and not code_fence:
            code_fence = fence.group()
        elif code_fence and line.strip() == code_fence:
            code_fence = ""
        if re.fullmatch(r"\([\w-]+\)=|%.*", line) and not code_fence:
            continue  # a label, a comment
        done.append(line if code_fence else _inline(line, around))
    return "\n".join(done)


def _until_closed(lines: Any, fence: str) -> list[str]:
    inside: list[str] = []
    for line in lines:
        if line.strip() == fence:
            return inside
        inside.append(line)
    raise NoPlainFormError(f"a directive opened with {fence} is not closed")


def _directive(found: re.Match[str], inside: list[str], around: Surroundings) -> list[str]:
    name, argument = found["name"], found["argument"]
    while inside and OPTION.match(inside[0]):
        inside = inside[1:]
    if name == "math":
        return ["$$", *[line for line in inside if line.strip()], "$$"]
    if name == "footbibliography":
        return [f"- {around.references[key][1]}" for key in around.cited]
    if name == "admonition" or name in ADMONITIONS:
        title = _inline(argument, around) or name.capitalize()
        body = plain_markdown("\n".join(inside), around).strip().splitlines()
        return [f"> {line}".rstrip() for line in (f"**{title}**", "", *body)]
    if name == "dropdown":
        body = plain_markdown("\n".join(inside), around).strip().splitlines()
        return ["<details>", f"<summary>{argument}</summary>", "", *body, "", "</details>"]
    raise NoPlainFormError(f"{around.docname}: the directive {name} has no plain form yet")


def _inline(text: str, around: Surroundings) -> str:
    text = ROLE.sub(lambda role: _role(role["name"], role["content"], around), text)
    return LINK.sub(lambda link: around.link(link["text"], link["path"], link["anchor"] or ""), text)


def _role(name: str, content: str, around: Surroundings) -> str:
    forms: dict[str, Callable[[str], str]] = {
        "glue:text": around.number,
        "footcite:p": around.cite,
        "footcite:t": around.cite,
        "doc": lambda target: _titled_link(target, around),
        "term": lambda term: _before_target(term),
        "math": lambda formula: f"${formula}$",
        "eq": lambda label: around.link("equation", f"/{around.docname}", f"#equation-{label}"),
    }
    if name not in forms:
        raise NoPlainFormError(f"{around.docname}: the role {name} has no plain form yet")
    return forms[name](content)


def _before_target(content: str) -> str:
    titled = TITLED_TEXT.match(content)
    return titled["text"] if titled else content


def _titled_link(content: str, around: Surroundings) -> str:
    titled = TITLED_TEXT.match(content)
    target = titled["target"] if titled else content
    return around.link(titled["text"] if titled else posixpath.basename(target), target)


def to_notebook(
    text: str, around: Surroundings, repository: str | None, commit: str
) -> nbformat.NotebookNode:
    """Return a chapter as a notebook without outputs.

    Args:
        text: the chapter's MyST source.
        around: what its prose refers to.
        repository: address that git can fetch the repository from; without it, nothing is installed.
        commit: what to install.

    Raises:
        NoPlainFormError: the prose has markup without a plain form.
    """
    notebook = jupytext.reads(FRONT_MATTER.sub("", text), fmt="md:myst")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(cell.source, around)
            cell.metadata = {}
        else:
            _prepare_code(cell)
    if repository:
        install = INSTALL.format(repository=repository, commit=commit).rstrip()
        notebook.cells.insert(0, nbformat.v4.new_code_cell(install))
    if around.site:
        origin = f"*The page, with its outputs: <{around.site}{around.docname}.html>*"
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(origin))
    notebook.metadata = {
        "accelerator": "GPU",
        "colab": {"gpuType": "T4", "provenance": []},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # the same source gives the same file
    return notebook


def _prepare_code(cell: nbformat.NotebookNode) -> None:
    """Fold hidden cells in JupyterLab's and in Colab's way, and drop what only the site reads."""
    hidden = "hide-cell" in cell.metadata.get("tags", [])
    prompt = cell.metadata.get("mystnb", {}).get("code_prompt_show", "Show the code")
    cell.metadata = {}
    if hidden:
        cell.source = f"# @title {prompt}\n{cell.source.lstrip()}"
        cell.metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
