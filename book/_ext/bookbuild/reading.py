"""What Sphinx has read is used again only where the build that read it also finished its pages.

Sphinx writes its reading state before it writes a page, and judges by it later which pages are old. A build
that ended in between, or wrote another format, would leave old pages and half-written files for good.
"""

import shutil
from pathlib import Path

from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.config import Config

from bookbuild.render.pictures import DRAWN


def forget_unfinished(app: Sphinx, config: Config) -> None:
    """Have everything read and written again, unless the last build with this state finished this folder."""
    mark = _mark(app)
    if not mark.exists() or mark.read_bytes() != _folder(app):
        for state in (Path(app.doctreedir, ENV_PICKLE_FILENAME), Path(app.outdir, ".buildinfo")):
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
        _mark(app).write_bytes(_folder(app))


def _mark(app: Sphinx) -> Path:
    return Path(app.doctreedir, "finished")


def _folder(app: Sphinx) -> bytes:
    return str(app.outdir).encode(errors="surrogateescape")
