"""What a page may run and fetch, said in its head: its own scripts and this site's files, and nothing else.

So a reader's browser refuses what somebody smuggled into a page, and whoever brings back a script of another
host sees at once that it does not run.
"""

import base64
import hashlib
import html
import re
from collections.abc import Set
from pathlib import Path

from sphinx.application import Sphinx

INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
HANDLER = re.compile(r'\son[a-z]+="([^"]*)"')
HEAD = re.compile(
    r"(<meta charset=[^>]*>)(\s*<meta http-equiv=\"Content-Security-Policy\"[^>]*>)?", re.IGNORECASE
)
# A picture may be one that a script drew, or the reader's own; a style may stand at an element.
RULES = {
    "default-src": "'self'",
    "img-src": "'self' data: blob:",
    "style-src": "'self' 'unsafe-inline'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}


def write(app: Sphinx, exception: Exception | None) -> None:
    """Write each page's policy into its head; where it stands already, it is the same.

    What the buttons of one page do, every page allows: the search reads other pages into its own.
    """
    if exception is not None:
        return
    pages = {path: path.read_text(encoding="utf-8") for path in Path(app.outdir).rglob("*.html")}
    handlers = {handler for text in pages.values() for handler in HANDLER.findall(text)}
    for path, text in pages.items():
        guarded = HEAD.sub(rf"\1\n{_tag(policy(text, handlers))}", text, count=1)
        if guarded != text:
            path.write_text(guarded, encoding="utf-8")


def policy(page: str, buttons: Set[str]) -> str:
    """Return a page's policy: the scripts that stand in it, and those of buttons, run by their checksums."""
    scripts = {_checksum(script) for script in INLINE.findall(page)}
    handlers = {_checksum(html.unescape(button)) for button in buttons}
    allowed = ["'self'", *(["'unsafe-hashes'"] if handlers else []), *sorted(scripts | handlers)]
    rules = RULES | {"script-src": " ".join(allowed)}
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def _checksum(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _tag(content: str) -> str:
    return f'<meta http-equiv="Content-Security-Policy" content="{content}" />'
