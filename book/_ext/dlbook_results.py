"""Gather what the chapters recorded into ``_build/results.json`` and a table for the Results page."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from dlbook.glue import FLOOR_PREFIX, RESULT_PREFIX, read_json

# Which documents hold the table is kept in the environment, and survives between builds.
_PAGES = "dlbook_results_pages"


class ResultsTable(nodes.General, nodes.Element):
    """Where the table goes once every chapter has been read."""


class ResultsTableDirective(SphinxDirective):
    """``{results-table}``: every chapter's recorded results."""

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder and remember the page."""
        _pages(self.env).add(self.env.docname)
        return [ResultsTable()]


def _pages(env: BuildEnvironment) -> set[str]:
    if not hasattr(env, _PAGES):
        setattr(env, _PAGES, set())
    return getattr(env, _PAGES)


def chapter_name(docname: str) -> str:
    """Return a chapter's key in results.json: its path without the section's folder."""
    return docname.split("/", 1)[-1]


def chapter_results(app: Sphinx, docname: str) -> dict[str, Any]:
    """Return what one page recorded; nothing for a page that is no chapter, or a chapter that failed."""
    notes = NbMetadataCollector.get_doc_data(app.env)[docname]
    if not (notes.get("glue") and notes["exec_data"]["succeeded"]):
        return {}
    glued = Path(app.outdir).parent / "jupyter_execute" / f"{docname}.glue.json"
    return read_results(json.loads(glued.read_text(encoding="utf-8")))


def gather(app: Sphinx) -> dict[str, dict[str, Any]]:
    """Return docname → results of the chapters that recorded some, in the order of the table of contents."""
    found = {docname: chapter_results(app, docname) for docname in _reading_order(app.env)}
    return {docname: results for docname, results in found.items() if results}


def _reading_order(env: BuildEnvironment) -> list[str]:
    order = [env.config.root_doc]
    for docname in order:
        order += [child for child in env.toctree_includes.get(docname, []) if child not in order]
    return order


def read_results(glued: dict[str, Any]) -> dict[str, Any]:
    """Turn one chapter's glue into results with one shared provenance.

    Args:
        glued: glue key → notebook output, as myst-nb wrote them.

    Returns:
        Result name → mean, std, n and what else was recorded; ``provenance`` beside them.
    """
    results: dict[str, Any] = {}
    for key, output in glued.items():
        if key.startswith(RESULT_PREFIX):
            content = read_json(output)
            provenance = content.pop("provenance")
            results[key.removeprefix(RESULT_PREFIX)] = content
            results["provenance"] = provenance
    for name, result in results.items():
        floor = glued.get(FLOOR_PREFIX + name)
        if floor:
            result["floor"] = read_json(floor)
    if "provenance" in results:
        results["provenance"] = results.pop("provenance")
    return results


def write_json(app: Sphinx, exception: Exception | None) -> None:
    """Write ``_build/results.json``, whole or not at all."""
    if exception is not None:
        return
    chapters = {chapter_name(docname): results for docname, results in gather(app).items()}
    target = Path(app.outdir).parent / "results.json"
    draft = target.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(chapters, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(target)


def pages_to_refresh(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the pages with the table again whenever anything was read."""
    return sorted(_pages(env) & env.found_docs)


def fill_tables(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put the table where the placeholders are."""
    for placeholder in list(doctree.findall(ResultsTable)):
        content: list[nodes.Node] = []
        for chapter, results in gather(app).items():
            content += _chapter_section(app, docname, chapter, results)
        placeholder.replace_self(content or [nodes.paragraph(text="No chapter has recorded a result.")])


def add_provenance(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """End each chapter with where and when its outputs were computed."""
    results = chapter_results(app, docname)
    if results:
        line = nodes.paragraph(text=provenance_text(results["provenance"]), classes=["provenance"])
        sections = list(doctree.findall(nodes.section))
        (sections[0] if sections else doctree).append(line)


def _chapter_section(app: Sphinx, docname: str, chapter: str, results: dict[str, Any]) -> list[nodes.Node]:
    title = app.env.titles[chapter].astext()
    uri = app.builder.get_relative_uri(docname, chapter)
    heading = nodes.rubric("", "", nodes.reference("", title, internal=True, refuri=uri))
    rows = [
        (name.replace("_", " "), result["text"], str(result["n"]), _floor_text(result))
        for name, result in results.items()
        if name != "provenance"
    ]
    table = _table(("result", "value", "runs", "promised"), rows)
    provenance = nodes.paragraph(text=provenance_text(results["provenance"]), classes=["provenance"])
    return [heading, table, provenance]


def _floor_text(result: dict[str, Any]) -> str:
    floor = result.get("floor", {"at_least": None, "at_most": None})
    low, high = (None if bound is None else format(bound, result["spec"]) for bound in floor.values())
    if low is not None and low == high:
        return f"= {low}"
    return ", ".join(f"{sign} {bound}" for sign, bound in (("≥", low), ("≤", high)) if bound) or "–"


def short_commit(commit: str) -> str:
    """Return the first twelve digits, and whether the checkout had uncommitted changes."""
    digits, dirty, _ = commit.partition("-dirty")
    return digits[:12] + (" with uncommitted changes" if dirty else "")


def provenance_text(provenance: dict[str, Any]) -> str:
    """Return one line that says where numbers come from."""
    data = provenance["data"]
    kind = "offline stand-in for " if data["is_standin"] else ""
    executed = provenance["executed"][:16].replace("T", " ")
    return (
        f"Computed on {provenance['device_name']} ({provenance['device']}), torch {provenance['torch']}, "
        f"{executed} UTC, at commit {short_commit(provenance['commit'])}, "
        f"from {kind}{data['name']} (SHA-256 {data['sha256'][:12]}…)."
    )


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> nodes.Node:
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *[_row(row) for row in rows])
    return nodes.table("", group, classes=["results"])


def _row(cells: tuple[str, ...]) -> nodes.row:
    return nodes.row("", *[nodes.entry("", nodes.paragraph(text=cell)) for cell in cells])


def skip_node(translator: Any, node: nodes.Node) -> None:
    """Other builders than HTML meet no placeholder either: it is replaced before writing."""
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.add_node(ResultsTable, html=(skip_node, None))
    app.add_directive("results-table", ResultsTableDirective)
    app.connect("env-updated", pages_to_refresh)
    app.connect("doctree-resolved", fill_tables)
    app.connect("doctree-resolved", add_provenance)
    app.connect("build-finished", write_json)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
