"""What the chapters of *Deep Learning Concepts* import: data, models, training, and how to show them.

Each module holds one idea, and imports run downwards only: ``runtime`` knows none of the others,
``visualize`` may use any of them.
"""

__version__ = "0.1.0"
