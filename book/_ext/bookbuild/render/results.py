"""Gather what the chapters recorded into ``_build/results.json`` and a table for the Results page."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from dlbook_plan import origins
from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from dlbook.glue import FLOOR_PREFIX, RESULT_PREFIX, read_json

Cell: TypeAlias = "str | nodes.Node"
LOGGER = logging.getLogger(__name__)
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
    results = read_results(json.loads(glued.read_text(encoding="utf-8")))
    if results:
        results["provenance"]["seconds"] = notes["exec_data"]["runtime"]
    return results


def gather(app: Sphinx) -> dict[str, dict[str, Any]]:
    """Return docname → results of the chapters that recorded some, in the order of the table of contents."""
    found = {docname: chapter_results(app, docname) for docname in reading_order(app.env)}
    return {docname: results for docname, results in found.items() if results}


def reading_order(env: BuildEnvironment) -> list[str]:
    """Return all pages in the order of the table of contents."""
    order = [env.config.root_doc]
    for docname in order:
        order += [child for child in env.toctree_includes.get(docname, []) if child not in order]
    return order


def read_results(glued: dict[str, Any]) -> dict[str, Any]:
    """Turn one chapter's glue into results with one shared provenance.

    Args:
        glued: glue key → notebook output, as myst-nb wrote them.

    Returns:
        Result name → mean, std, n and what else was recorded, with the name of its data as ``source``;
        ``provenance`` beside them, whose ``data`` lists every source that a result was measured on.
    """
    results: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    sources: dict[tuple[str, str], dict[str, Any]] = {}
    for key, output in glued.items():
        if key.startswith(RESULT_PREFIX):
            content = read_json(output)
            provenance = content.pop("provenance")
            source = provenance.pop("data")
            sources[source["name"], source["sha256"]] = source
            results[key.removeprefix(RESULT_PREFIX)] = content | {"source": source["name"]}
    for name, result in results.items():
        floor = glued.get(FLOOR_PREFIX + name)
        if floor:
            result["floor"] = read_json(floor)
    if results:
        results["provenance"] = provenance | {"data": list(sources.values())}
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
        text = provenance_text(results["provenance"])
        if docname in origins(app.env)["elsewhere"]:
            text += " These outputs were taken from another machine's cache."
        line = nodes.paragraph(text=text, classes=["provenance"])
        sections = list(doctree.findall(nodes.section))
        (sections[0] if sections else doctree).append(line)


def check_devices(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Warn of every chapter that was computed on another kind of device than ``DLBOOK_EXPECT_DEVICE``."""
    expected = os.environ.get("DLBOOK_EXPECT_DEVICE")
    for docname, results in gather(app).items() if expected else ():
        device = results["provenance"]["device"]
        if device != expected:
            LOGGER.warning("%s was computed on %s; this build expects %s", docname, device, expected)
    return []


def _chapter_section(app: Sphinx, docname: str, chapter: str, results: dict[str, Any]) -> list[nodes.Node]:
    heading = nodes.rubric("", "", chapter_link(app, docname, chapter))
    rows = [
        (name.replace("_", " "), result["text"], str(result["n"]), _floor_text(result))
        for name, result in results.items()
        if name != "provenance"
    ]
    table = table_node(("result", "value", "n", "promised"), rows)
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
    executed = provenance["executed"][:16].replace("T", " ")
    return (
        f"Computed on {provenance['device_name']} ({provenance['device']}), torch {provenance['torch']}, "
        f"{executed} UTC, at commit {short_commit(provenance['commit'])}, "
        f"from {'; '.join(source_text(source) for source in provenance['data'])}."
    )


def source_text(source: dict[str, Any]) -> str:
    """Return the name of data, and the start of their checksum."""
    kind = "offline stand-in for " if source["is_standin"] else ""
    return f"{kind}{source['name']} (SHA-256 {source['sha256'][:12]}…)"


def table_node(header: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> nodes.table:
    """Return a table; a cell is a text, or what belongs into a paragraph."""
    group = nodes.tgroup(cols=len(header))
    group += [nodes.colspec(colwidth=1) for _ in header]
    group += nodes.thead("", _row(header))
    group += nodes.tbody("", *[_row(row) for row in rows])
    return nodes.table("", group, classes=["results"])


def _row(cells: Sequence[Cell]) -> nodes.row:
    inline = [nodes.Text(cell) if isinstance(cell, str) else cell for cell in cells]
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", "", content)) for content in inline])


def chapter_link(app: Sphinx, docname: str, chapter: str) -> nodes.reference:
    """Return a chapter's title as a link from the page ``docname``."""
    uri = app.builder.get_relative_uri(docname, chapter)
    return nodes.reference("", app.env.titles[chapter].astext(), internal=True, refuri=uri)


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
    app.connect("env-updated", check_devices)
    app.connect("build-finished", write_json)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
