"""Rendering: the book's own roles and directives, its tables, its notebooks, and what the theme lacks."""

import hashlib
from pathlib import Path

from sphinx.application import Sphinx

from bookbuild.render import (
    captions,
    epub,
    figures,
    formulas,
    launch,
    paper,
    pictures,
    placeholders,
    playgrounds,
    results,
    run_times,
)


def add_markup(app: Sphinx) -> None:
    """Tell Sphinx of the book's roles and directives, and of what writes its formulas."""
    formulas.add_renderer(app)
    app.add_role("result", results.ResultRole())
    app.add_role("provenance", results.ProvenanceRole())
    app.add_directive("promises", results.PromisesDirective)
    app.add_directive("results-table", results.ResultsTableDirective)
    app.add_directive("run-times", run_times.RunTimesDirective)
    app.add_directive("caption", captions.CaptionDirective)
    app.add_transform(captions.GiveCaptions)
    app.add_transform(pictures.PairForms)
    app.add_directive("page-figure", figures.PageFigureDirective)
    app.add_directive("colab-button", launch.ColabButtonDirective)
    app.add_directive("pdf-link", paper.PdfLinkDirective)
    app.add_directive("epub-link", epub.EpubLinkDirective)
    app.add_directive("playground", playgrounds.PlaygroundDirective)
    for node in (
        results.Number,
        results.Fact,
        results.Promises,
        results.OtherResults,
        results.ResultsTable,
        run_times.RunTimes,
        figures.PageFigure,
        launch.ColabButton,
        playgrounds.PlaygroundPlaceholder,
    ):
        app.add_node(node, html=(placeholders.skip_node, None))
    app.add_node(pictures.Picture, html=(pictures.visit, pictures.depart))
    fallback = (playgrounds.show_fallback, playgrounds.show_fallback)
    app.add_node(
        playgrounds.PlaygroundElement,
        html=(playgrounds.visit, playgrounds.depart),
        latex=fallback,
        text=fallback,
    )


def checksum() -> str:
    """Return a checksum over what renders, which every page depends on."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
