"""The build of the book, as one Sphinx extension: executes what needs it, then renders what came out.

Three rooms: ``run`` executes pages and keeps their outputs, ``render`` turns these into a site and notebooks,
``check`` looks at what was built. The modules beside this file know what a book, a page and a promise are.
"""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the extension to Sphinx; from top to bottom, this is the order of events."""
    from pathlib import Path

    from bookbuild import reading, render
    from bookbuild.build import Build
    from bookbuild.render import (
        assets,
        epub,
        formulas,
        furniture,
        launch,
        lost,
        paper,
        pictures,
        playgrounds,
        security,
        sharing,
        styles,
    )

    build, style = Build(), styles.SiteStyle()
    app.add_config_value("bookbuild_page_limit", 14_400, "")
    app.add_config_value("bookbuild_published_without", [], "")
    app.add_config_value("bookbuild_fonts", False, "html")
    app.add_config_value("bookbuild_pdf", paper.browser(), "env")
    app.add_config_value("bookbuild_epub", epub.made(app), "env")
    # A change of this value makes Sphinx read every page again; what was executed stays cached.
    app.add_config_value("bookbuild_renderer", render.checksum(), "env")
    # Pages name the scripts' folder: a change of this value makes Sphinx write every page again.
    app.add_config_value("bookbuild_playgrounds", playgrounds.checksum(Path(app.srcdir)), "html")
    app.add_config_value("bookbuild_looks", styles.checksum(Path(app.srcdir, styles.STATIC)), "html")
    app.add_css_file(playgrounds.style(Path(app.srcdir)), priority=700)  # the book's come later
    render.add_markup(app)
    app.add_builder(epub.BookEpubBuilder, override=True)

    on_site, in_epub = functools.partial(only, "html"), functools.partial(only, "epub")
    app.connect("config-inited", build.wait)
    app.connect("config-inited", reading.forget_unfinished)
    app.connect("config-inited", build.suppress_consequences)
    app.connect("config-inited", launch.name_repository)
    app.connect("config-inited", furniture.name_commit)
    app.connect("builder-inited", in_epub(epub.name), priority=400)  # before Sphinx looks whether all is said
    app.connect("builder-inited", build.execute, priority=900)  # behind myst-nb's own
    app.connect("env-get-outdated", build.outdated)
    app.connect("env-before-read-docs", reading.begin)
    app.connect("env-before-read-docs", build.leave_unexecuted)
    app.connect("source-read", build.mark)
    app.connect("env-updated", build.refresh)
    app.connect("doctree-resolved", build.fill)
    app.connect("doctree-resolved", formulas.keep_with_punctuation)
    app.connect("doctree-resolved", on_site(pictures.mend), priority=900)  # behind all that brings pictures
    app.connect("doctree-resolved", in_epub(epub.adapt), priority=900)
    app.connect("html-collect-pages", on_site(lost.collect))
    app.connect("html-page-context", on_site(furniture.stamp_commit))
    app.connect("html-page-context", furniture.name_parts)
    app.connect("html-page-context", on_site(sharing.describe))
    app.connect("html-page-context", on_site(assets.preload_fonts))
    app.connect("html-page-context", on_site(build.add_buttons), priority=900)  # behind the theme's own
    app.connect("html-page-context", on_site(assets.choose), priority=900)
    app.connect("html-page-context", on_site(style.choose), priority=900)
    app.connect("html-page-context", in_epub(epub.dress), priority=900)
    app.connect("build-finished", on_site(build.write), priority=400)  # its warnings count
    app.connect("build-finished", on_site(write_fonts), priority=700)  # behind the last page
    app.connect("build-finished", on_site(style.write), priority=750)  # with the classes of all pages
    app.connect("build-finished", on_site(assets.drop_unused), priority=800)  # behind all that adds files
    app.connect("build-finished", on_site(lost.name_from_the_root), priority=850)
    app.connect("build-finished", on_site(security.write), priority=850)  # behind all that writes pages
    app.connect("build-finished", on_site(build.print), priority=860)  # what readers would see
    app.connect("build-finished", reading.finish, priority=900)  # behind all that can still fail or warn
    app.connect("build-finished", build.finish, priority=900)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def only(builder: str, handler: "Callable[..., Any]") -> "Callable[..., Any]":
    """Return what does the same where a builder of this name is at work, and nothing elsewhere.

    ``html`` writes the site, ``epub`` the EPUB; another one asks links.
    """

    @functools.wraps(handler)
    def handle(app: "Sphinx", *arguments: Any) -> Any:
        return handler(app, *arguments) if app.builder.name == builder else ()

    return handle


def write_fonts(app: "Sphinx", exception: Exception | None) -> None:
    """Write the fonts that the pages need: only then is what cuts them loaded."""
    if exception is None and app.config.bookbuild_fonts:
        from bookbuild.render import fonts

        fonts.write(app)
