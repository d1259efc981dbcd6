"""What the chapters of *Deep Learning Concepts* import: data, models, training, and how to show them.

Each module holds one idea, and imports run downwards only: ``runtime`` knows none of the others,
``visualize`` may use any of them.
"""

import logging

# On a new and busy machine matplotlib warns that it builds its font cache, in the middle of a page.
# It does so while it is imported, so this must come first.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

__version__ = "0.1.0"
