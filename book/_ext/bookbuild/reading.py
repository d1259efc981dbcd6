"""What Sphinx has read is used again only where it is whole, and the build that read it finished its pages.

Sphinx writes its reading state before it writes a page, and judges by it later which pages are old. A build
that ended in between, or wrote another format, would leave old pages and half-written files for good. A part
of the state that was damaged since would fail every build, and a page that was, would never be written again.
"""

import hashlib
import shutil
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config

from bookbuild.render.pictures import DRAWN


def forget_unfinished(app: Sphinx, config: Config) -> None:
    """Have everything read and written again, unless the last build with this state finished this folder."""
    mark = _mark(app)
    if not mark.exists() or mark.read_text(encoding="utf-8", errors="replace") != _state(app):
        for state in (Path(app.doctreedir, ENV_PICKLE_FILENAME), _facts(app)):
            state.unlink(missing_ok=True)


def begin(app: Sphinx, *_: object) -> None:
    """From here on the state and the pages may differ.

    What cells drew lies under its checksum, so myst-nb would never write anew what an ended build left half.
    """
    mark = _mark(app)
    if not mark.exists():
        shutil.rmtree(Path(app.outdir).parent / DRAWN, ignore_errors=True)
    mark.unlink(missing_ok=True)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Say that the pages are those of the state; not after warnings, which the next build must repeat.

    Sphinx would otherwise read nothing again, warn of nothing, and call the same site a success.
    """
    if exception is None and not app._warncount:
        _mark(app).write_text(_state(app), encoding="utf-8")


def _mark(app: Sphinx) -> Path:
    return Path(app.doctreedir, "finished")


def _facts(app: Sphinx) -> Path:
    """Return the file in which Sphinx notes what the pages were written with."""
    return Path(app.outdir, ".buildinfo")


def _state(app: Sphinx) -> str:
    """Return a checksum of all that Sphinx keeps of what it has read, of the pages, and of where they lie."""
    digest = hashlib.sha256(str(app.outdir).encode(errors="surrogateescape"))
    kinds = ("*.html", "*.css", "searchindex.js", "_images/*")
    written = [path for kind in kinds for path in Path(app.outdir).rglob(kind)]
    for path in (_facts(app), *sorted(written), *sorted(Path(app.doctreedir).rglob("*"))):
        if path.is_file() and path != _mark(app):
            digest.update(f"{path.name} {path.stat().st_size}\n".encode(errors="surrogateescape"))
            digest.update(path.read_bytes())
    return digest.hexdigest()
