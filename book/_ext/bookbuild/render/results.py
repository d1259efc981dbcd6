"""Numbers in the prose, the table of a page's promises, and the list of all results."""

import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from bookbuild.book import Book, Page
from bookbuild.memory import LIMIT, gigabytes, is_too_large
from bookbuild.promises import Promise
from bookbuild.render.placeholders import Placeholder, Rendering, UnknownError, read_result_reference
from bookbuild.render.tables import Row, page_link, table
from dlbook.data.source import Source
from dlbook.record import Provenance, Record, Result


class Number(nodes.Inline, Placeholder):
    """A result in the prose: of the attributes' ``page``, ``name``, ``part`` and ``form``."""

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return the number."""
        text = result_text(rendering, self.attributes)
        return [nodes.inline("", text, classes=["result", "unbroken"] if " ± " in text else ["result"])]


class ResultRole(SphinxRole):
    """``{result}`test_accuracy:.2%```: a number of this page, or of another: ``{result}`page::name:.2%```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a placeholder."""
        try:
            number = Number(**read_result_reference(self.text))
        except ValueError as problem:
            return [], [self.inliner.reporter.error(str(problem), line=self.lineno)]
        self.set_source_info(number)
        return [number], []


def result_text(rendering: Rendering, reference: dict[str, str]) -> str:
    """Return a result as prose shows it.

    Raises:
        UnknownError: there is no such page or result.
        ValueError: the form does not suit the value.
    """
    page, name = rendering.page(reference["page"]), reference["name"]
    results = page.outputs.record.results if page.outputs else {}
    if name not in results:
        raise UnknownError(f"{page.docname} reports no result {name!r}")
    try:
        return typeset(results[name].show(reference["form"], reference["part"]))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} cannot be shown as {reference['form']!r}: {error}") from error


def typeset(number: str) -> str:
    """Return a number with a minus sign in place of the hyphen that Python writes."""
    return re.sub(r"(?<![\w.])-(?=[\d.])", "\N{MINUS SIGN}", number)


class Fact(nodes.Inline, Placeholder):
    """Where and when the page was computed: one field of its provenance."""

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return the field as text."""
        return [nodes.inline("", provenance_fact(rendering, self["content"]), classes=["result"])]


class ProvenanceRole(SphinxRole):
    """``{provenance}`minutes:.1f``` or ``{provenance}`device_name```: see `dlbook.record.Provenance`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a placeholder."""
        fact = Fact(content=self.text)
        self.set_source_info(fact)
        return [fact], []


def provenance_fact(rendering: Rendering, content: str) -> str:
    """Return what the role `provenance` shows.

    Raises:
        UnknownError: there is no such field.
    """
    name, _, form = content.partition(":")
    outputs = rendering.page().outputs
    value = getattr(outputs.record.provenance, name, None) if outputs else None
    if value is None:
        raise UnknownError(f"a page's provenance has no {name!r}")
    return format(value, form)


class Promises(nodes.General, Placeholder):
    """The table of what the page promises."""

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return a row for each promise, with what it rests on; a dash stands for an absent result."""
        page = rendering.page()
        if not page.promises or page.outputs is None:
            raise UnknownError(f"{page.docname} promises nothing: its front matter has no promises")
        record, forms = page.outputs.record, forms_of(rendering, page)
        rows = [_promise_row(promise, record, forms) for promise in page.promises.values()]
        return [table(("result", "value", "promised", "n", "measured on"), rows, "promises")]


class PromisesDirective(SphinxDirective):
    """``{promises}``: what this page promises, and that it is kept."""

    def run(self) -> list[nodes.Node]:
        """Leave a placeholder."""
        placeholder = Promises()
        self.set_source_info(placeholder)
        return [placeholder]


def _promise_row(promise: Promise, record: Record, forms: dict[str, str]) -> Row:
    form = forms.get(promise.name, "")
    promised = typeset(promise.words(record, form))
    result = record.results.get(promise.name)
    if result is None:  # an optional one
        return (_title(promise.name), "–", promised, "–", "–")
    if not promise.is_judged(record):
        promised += " (not judged: a stand-in)"
    return (_title(promise.name), typeset(result.show(form)), promised, str(result.n), _basis(result))


def _basis(result: Result) -> str:
    """Say what a result rests on."""
    seeds = f"seeds {_seeds(result.seeds)}" if result.seeds else ""
    return ", ".join(part for part in (result.data or "no data", seeds) if part)


def _seeds(seeds: tuple[int, ...]) -> str:
    in_a_row = len(seeds) > 2 and seeds == tuple(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if in_a_row else ", ".join(map(str, seeds))


def _title(name: str) -> str:
    return name.replace("_", " ")


class ResultsTable(nodes.General, Placeholder):
    """What the page of the attribute ``page`` promises."""

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return a table and where its numbers come from."""
        page = rendering.book.pages[self["page"]]
        if page.outputs is None or not page.outputs.record.results:
            return [nodes.paragraph(text="This page has reported no result.")]
        record, forms = page.outputs.record, forms_of(rendering, page)
        rows = [
            (*_value(name, result, forms[name]), typeset(page.promises[name].words(record, forms[name])))
            for name, result in record.results.items()
            if name in page.promises
        ]
        link = nodes.paragraph("", "From the page ", page_link(rendering, page.docname), nodes.Text(":"))
        facts = nodes.paragraph(text=provenance_text(record.provenance), classes=["provenance"])
        return [link, *([table(("result", "value", "n", "promised"), rows)] if rows else []), facts]


class OtherResults(nodes.General, Placeholder):
    """What else the page of the attribute ``page`` measured."""

    def fill(self, rendering: Rendering) -> list[nodes.Node]:
        """Return a table."""
        page = rendering.book.pages[self["page"]]
        results = page.outputs.record.results if page.outputs else {}
        forms = forms_of(rendering, page) if results else {}
        rows = [
            _value(name, result, forms[name])
            for name, result in results.items()
            if name not in page.promises and (result.data is not None or result.seeds)
        ]
        return [table(("result", "value", "n"), rows) if rows else nodes.paragraph(text="Nothing.")]


class ResultsTableDirective(SphinxDirective):
    """``{results-table}``: what every page promised and, folded, what else it measured; under headings."""

    def run(self) -> list[nodes.Node]:
        """Leave placeholders for each page with cells."""
        book = Book.of(self.env.app)
        for path in (book.toc, *(page.path for page in book.pages.values())):
            self.env.note_dependency(str(path))  # of the headings
        return [self._section(page) for page in book.notebooks.values()]

    def _section(self, page: Page) -> nodes.section:
        (folded,) = self.parse_text_to_nodes(":::{dropdown} What else it measured\n \n:::")
        folded += OtherResults(page=page.docname)
        parts = nodes.title(text=page.title), ResultsTable(page=page.docname), folded
        return nodes.section("", *parts, ids=[nodes.make_id(f"results-{page.docname}")])


def _value(name: str, result: Result, form: str) -> Row:
    return _title(name), typeset(result.show(form)), str(result.n)


def forms_of(rendering: Rendering, page: Page) -> dict[str, str]:
    """Return how to show each result: as its promise says, else as the page's prose first does."""
    results = page.outputs.record.results if page.outputs else {}
    known = {name: _usual_form(result) for name, result in results.items()}
    shown = rendering.app.env.get_doctree(page.docname).findall(Number)
    for number in reversed(list(shown)):
        if not number["page"] and number["name"] in known and not number["part"]:
            known[number["name"]] = number["form"]
    return known | {name: promise.form for name, promise in page.promises.items() if promise.form}


def _usual_form(result: Result) -> str:
    """Return how to show what no promise and no sentence shows: whole, or else with four digits."""
    if any(isinstance(value, str) for value in result.values):
        return ""
    return ",d" if result.n == 1 and float(result.values[0]).is_integer() else ".4g"


def short_commit(commit: str) -> str:
    """Return the first twelve digits, and whether the checkout had uncommitted changes."""
    digits, dirty, _ = commit.partition("-dirty")
    return digits[:12] + (" with uncommitted changes" if dirty else "")


def provenance_text(provenance: Provenance) -> str:
    """Return one line that says where numbers come from."""
    executed = provenance.executed[:16].replace("T", " ")
    sources = "; ".join(map(_source_text, provenance.data)) or "no data"
    return (
        f"Computed on {provenance.device_name} ({provenance.device}), torch {provenance.torch}, "
        f"{executed} UTC, at commit {short_commit(provenance.commit)}, from {sources}."
    )


def _source_text(source: Source) -> str:
    """Return the name of data, and the start of their checksum."""
    kind = "offline stand-in for " if source.is_standin else ""
    return f"{kind}{source.name} (SHA-256 {source.sha256[:12]}…)"


STANDIN_TITLE = "Offline stand-in"
STANDIN = (
    "The real data could not be had where this page was computed. The code is the same; its numbers are not "
    "those of the real data, no promise was judged, and sentences that describe a result may not fit."
)

TOO_LARGE = (
    " The cells of this page hold up to {held} of memory at once. Binder has room for about {limit}, so "
    "there is no button for it here: run the page on Colab or on your own machine."
)


def add_provenance(rendering: Rendering, doctree: nodes.document) -> None:
    """End a page with cells with where and when its outputs were computed; on a stand-in, begin with that."""
    page = rendering.book.pages.get(rendering.docname)
    if page is None or page.outputs is None:
        return
    provenance = page.outputs.record.provenance
    text = provenance_text(provenance)
    if is_too_large(provenance):
        text += TOO_LARGE.format(held=gigabytes(provenance.peak_memory), limit=gigabytes(LIMIT))
    if page.outputs.is_from_elsewhere:
        text += " These outputs were taken from another machine's cache."
    sections = list(doctree.findall(nodes.section))
    line = nodes.paragraph(text=text, classes=["provenance"])
    place = sections[0] if sections else doctree
    place.append(line)
    if provenance.is_standin:
        box = nodes.admonition(classes=["warning"])
        box += nodes.title(text=STANDIN_TITLE)
        box += nodes.paragraph(text=STANDIN)
        place.insert(1, box)  # behind the heading
