"""The table of the Run times page: what each page took, where, when, and whether it ran in this build."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from bookbuild.book import Outputs
from bookbuild.memory import gigabytes
from bookbuild.render.placeholders import Placeholder, Rendering
from bookbuild.render.tables import Row, page_link, table
from dlbook.record import Provenance

HEADER = ("chapter", "seconds", "device", "peak memory", "computed (UTC)", "in this build")


class RunTimes(nodes.General, Placeholder):
    """The table of all pages with cells."""

    shows_others = True

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return a row for each page."""
        rows = [
            (page_link(rendering, page.docname), *_facts(page.outputs))
            for page in rendering.chapters()
            if page.outputs
        ]
        return [table(HEADER, rows)]


class RunTimesDirective(SphinxDirective):
    """``{run-times}``: what each page took."""

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        return [RunTimes()]


def _facts(outputs: Outputs) -> Row:
    provenance = outputs.record.provenance
    return (
        f"{provenance.seconds:,.1f}",
        f"{provenance.device_name} ({provenance.device})",
        _memory_text(provenance),
        provenance.executed[:16].replace("T", " "),
        origin_text(outputs),
    )


def _memory_text(provenance: Provenance) -> str:
    on_gpu = f"{gigabytes(provenance.peak_gpu_memory)} on the GPU" if provenance.peak_gpu_memory else ""
    held = gigabytes(provenance.peak_memory) if provenance.peak_memory else ""
    return ", ".join(part for part in (held, on_gpu) if part) or "–"


def origin_text(outputs: Outputs) -> str:
    """Say whether outputs are new, or where they come from."""
    if outputs.is_new:
        return "executed"
    return "another machine's cache" if outputs.is_from_elsewhere else "cache"
