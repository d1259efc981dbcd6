"""The data sets that pages load: fetched before a page is keyed, so that its key knows the outcome."""

import subprocess
import sys
from collections.abc import Iterable

from sphinx.util import logging

from bookbuild.book import BookError
from bookbuild.run.keys import PACKAGE
from dlbook.data.image_sets import stand_ins_are_permitted
from dlbook.data.registry import REGISTRY
from dlbook.data.source import DataError

LOGGER = logging.getLogger(__name__)


def fetch_missing(names: Iterable[str]) -> None:
    """Fetch those of the data sets that this machine lacks, where a source of theirs answers."""
    for name in sorted(names):
        if REGISTRY[name].is_present() and not REGISTRY[name].lacks_proof():
            continue
        if any(map(answers, REGISTRY[name].sources)):
            subprocess.run([sys.executable, "-m", f"{PACKAGE}.data", "fetch", name], check=False)
        else:
            LOGGER.info("%s is not on this machine, and no source of it answers", name)


def small_ones_suffice() -> bool:
    """Tell whether this build is not to be published, so that small data may take the place of the real.

    Raises:
        BookError: ``DLBOOK_STANDINS`` says nothing that is known.
    """
    try:
        return stand_ins_are_permitted()
    except DataError as error:
        raise BookError(str(error)) from error


def answers(address: str) -> bool:
    """Tell whether a web server is there, whatever it says, within seconds."""
    from dlbook.data import fetching  # here, as few builds need it

    try:
        with fetching.session(0) as session:
            session.head(address, timeout=3)
    except (OSError, ValueError):  # a bundle of certificates that is not there is a plain OSError
        return False
    return True
