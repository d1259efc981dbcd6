"""Scripts and fonts: each page loads those it uses, and none of them holds up its first view."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# File → what stands in the text of a page that uses it. Other files are for every page.
USED_WHERE = {
    "clipboard.min.js": re.compile('class="highlight'),
    "copybutton.js": re.compile('class="highlight'),
    "design-tabs.js": re.compile("sd-tab-set"),
    "code-switch.js": re.compile("cell_input"),
    "enlarge.js": re.compile("<figure"),
    "terms.js": re.compile("std-term"),
}
# What the theme tells its version switch and its search in a window, which the book has not; what it adds to
# comes from a deferred script, and so too late.
FOR_OTHERS = "DOCUMENTATION_OPTIONS."
AT_ONCE = "preferences.js"  # else a reader in the dark would see a white page first
SEARCH = "search"  # Sphinx's search runs at once, and uses what stands before it
FOLDERS = ("_static", "_images")
FONTS = "_static/fonts"  # `render/fonts.py` writes the files that `_static/type.css` names
MATH_FONT = "math"
KEPT = ("_static/playgrounds/", f"{FONTS}/")  # with an order of their own
MAP = ".map"  # leads from a packed script to a source that the site has not
TEXTS = (".html", ".css", ".js")


def choose(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Leave out scripts that the page does not use, and defer the others."""
    body, scripts = context.get("body", ""), context.get("script_files", [])
    used = [
        script for script in _once(scripts) if _is_used(script.filename, body) and not _is_for_others(script)
    ]
    context["script_files"] = used if page == SEARCH else [_deferred(script) for script in used]


def _once(scripts: Iterable[Any]) -> Iterable[Any]:
    """Return each script once, where it comes first: Jupyter Book names each of the book's own once more."""
    unique: dict[tuple[str, str], Any] = {}
    for script in scripts:
        unique.setdefault((Path(script.filename or "").name, str(script.attributes.get("body", ""))), script)
    return unique.values()


def _is_used(filename: str | None, body: str) -> bool:
    path = Path(filename or "")
    signs = [sign for pattern, sign in USED_WHERE.items() if path.match(pattern)]
    return all(sign.search(body) for sign in signs)


def _is_for_others(script: Any) -> bool:
    return str(script.attributes.get("body", "")).startswith(FOR_OTHERS)


def _deferred(script: Any) -> Any:
    """Return a script that waits for the page; one without a file cannot."""
    name = Path(script.filename or "").name
    if name in ("", AT_ONCE) or "async" in script.attributes:
        return script
    return type(script)(script.filename, priority=script.priority, **script.attributes | {"defer": "defer"})


def preload_fonts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Let a page fetch its fonts beside its style sheets, and not after them; that of formulas gives way."""
    names = (
        "serif",
        "serif-italic",
        "serif-bold",
        *([MATH_FONT] if "<math" in context.get("body", "") else []),
    )
    for name in names if app.config.bookbuild_fonts else ():
        address = context["pathto"](f"{FONTS}/{name}.woff2", resource=True)
        urgency = ' fetchpriority="low"' if name == MATH_FONT else ""
        link = f'<link rel="preload" as="font" type="font/woff2" crossorigin{urgency} href="{address}" />\n'
        context["metatags"] = context.get("metatags", "") + link


def drop_unused(app: Sphinx, exception: Exception | None) -> None:
    """Remove what the theme, the extensions or earlier builds brought, and no page of the site uses."""
    if exception is None:
        for path in unused(Path(app.outdir)):
            path.unlink()


def unused(site: Path) -> Iterator[Path]:
    """Yield pictures, scripts and styles that nothing names: no page, and nothing that a page names.

    Pages are HTML, or XHTML in an EPUB.
    """
    files = [path for folder in FOLDERS for path in (site / folder).rglob("*")]
    rest = {path for path in files if path.is_file() and not _is_kept(site, path)}
    texts = [path for path in site.rglob("*html") if path not in rest]
    while texts:
        text = "\n".join(path.read_text(encoding="utf-8") for path in texts)
        found = {path for path in rest if path.name in text and path.suffix != MAP}
        texts = [path for path in found if path.suffix in TEXTS]
        rest -= found
    yield from sorted(rest)


def _is_kept(site: Path, path: Path) -> bool:
    return path.relative_to(site).as_posix().startswith(KEPT)
