"""GitHub's expressions, as far as this book's workflows use them: in `${{ … }}`, and as conditions."""

import re
from collections.abc import Callable, Mapping
from typing import Any

EXPRESSION = re.compile(r"\$\{\{\s*([^}]*?)\s*\}\}")
# A text, an operator, or a name: of a function where a bracket follows, else of a value such as vars.RUNNERS.
PART = re.compile(r"'[^']*'|&&|\|\||==|!=|!|[(),]|\s+|(?P<name>[a-zA-Z_][\w.-]*)(?P<call>\()?")
OPERATORS = {"&&": " and ", "||": " or ", "!": " not "}
# A condition that names none of these holds only where all has gone well before.
STATUS = re.compile(r"\b(success|failure|cancelled|always)\(\)")

Contexts = Mapping[str, Any]
Functions = Mapping[str, Callable[..., Any]]


def evaluate(expression: str, contexts: Contexts, functions: Functions) -> Any:
    """Return the value of an expression; what is unknown in it is an error."""
    parts, end = [], 0
    while end < len(expression):
        part = PART.match(expression, end)
        assert part, f"not understood: {expression[end:]}"
        end = part.end()
        if part["call"]:
            parts.append(f"functions[{part['name']!r}](")
        elif part["name"]:
            parts.append(f"look({part['name']!r})")
        else:
            parts.append(OPERATORS.get(part[0], part[0]))

    def look(name: str) -> Any:
        value: Any = contexts
        for key in name.split("."):
            value = value[key]
        return value

    return eval("".join(parts), {"look": look, "functions": functions})


def holds(condition: str, contexts: Contexts, functions: Functions) -> bool:
    """Tell whether a job or a step is due."""
    whole = EXPRESSION.fullmatch(condition)
    condition = whole[1] if whole else condition
    if not STATUS.search(condition):
        condition = f"success() && ({condition})"
    return bool(evaluate(condition, contexts, functions))


def fill(text: Any, contexts: Contexts, functions: Functions) -> Any:
    """Put values in the place of expressions; what is one expression alone keeps its type."""
    if isinstance(text, str) and (whole := EXPRESSION.fullmatch(text)):
        return evaluate(whole[1], contexts, functions)
    return EXPRESSION.sub(lambda found: str(evaluate(found[1], contexts, functions)), str(text))
