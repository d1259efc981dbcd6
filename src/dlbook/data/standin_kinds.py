"""What stands in for an image set where it cannot be had, as the registry says it.

The site's build imports this module, so it imports nothing heavy.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlbook.data.image_sets import ImageSet

if TYPE_CHECKING:
    from dlbook.data.dataset import Dataset


@dataclass(frozen=True)
class Digits:
    """scikit-learn's small digits, enlarged."""

    def make(self, entry: ImageSet) -> "Dataset":
        """Return them in the place of ``entry``."""
        from dlbook.data import standins  # here, as scikit-learn takes seconds to import

        return standins.digits(entry)


@dataclass(frozen=True)
class Pieces:
    """Square pieces of photographs; which photograph is the class.

    Attributes:
        photographs: one for each class, by the names of scikit-image or the file names of scikit-learn.
        sides: the smallest and the largest side that a piece is cut with, in pixels of its photograph.
        counts: pieces of each photograph for training and for the test.
    """

    photographs: tuple[str, ...]
    sides: tuple[int, int]
    counts: tuple[int, int]

    def make(self, entry: ImageSet) -> "Dataset":
        """Return them in the place of ``entry``."""
        from dlbook.data import standins

        return standins.pieces(entry, self.photographs, self.sides, self.counts)
