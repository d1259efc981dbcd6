"""How a number travels from a cell to the prose, and to the build: as myst-nb's glue.

This module imports nothing heavy, as the site's build imports it too. Where myst-nb is not installed,
as on Colab, there is no prose to glue to, and nothing happens.
"""

import ast
import json
from typing import Any

# Keys under these prefixes hold JSON for the build; any other key holds text for the prose.
RESULT_PREFIX = "result:"
FLOOR_PREFIX = "floor:"


def glue_text(name: str, text: str) -> None:
    """Keep a text under a name that is unique in the notebook."""
    try:
        from myst_nb import glue
    except ImportError:
        return
    glue(name, text, display=False)


def glue_json(name: str, content: dict[str, Any]) -> None:
    """Keep JSON under a name that is unique in the notebook."""
    glue_text(name, json.dumps(content))


def read_json(output: dict[str, Any]) -> dict[str, Any]:
    """Return what `glue_json` kept, from the notebook output that myst-nb made of it."""
    # A glued text is stored as Python shows it: in quotes.
    return json.loads(ast.literal_eval(output["data"]["text/plain"]))
