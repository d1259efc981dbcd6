"""What code imports, straight and through the package's other modules, found without running it."""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

# Functions that import the module whose name they are given.
IMPORTING = ("import_module", "__import__")
# What IPython makes of ``!ls``, and functions that run a file: what these read, no text says.
SHELL = {"system", "popen", "getoutput", "run_path", "run_module", "run_cell", "magic"}
SHELL |= {"exec_module", "load_module"}
# Built-in functions that run a text as code. (A network's own ``eval`` is a method.)
RUNNING_TEXT = ("exec", "eval")
# Modules that start other programs.
STARTING = {"subprocess", "pty", "multiprocessing"}
# What IPython makes of ``%time`` and ``%%time``.
COMMANDS = ("run_line_magic", "run_cell_magic")
# Its commands that run what they are given as the page's own code, and those that run and change nothing.
RUNNING, IDLE = {"capture", "time", "timeit"}, {"matplotlib", "pinfo", "pinfo2", "who", "whos"}
# Of %timeit: -n 10 -r3
OPTIONS = re.compile(r"\A\s*(?:-[a-z]\s*\d*(?:\s+|$))*")


class DependencyError(Exception):
    """Code depends on something that cannot be told from reading it; the message says on what."""


def syntax_trees(cells: Iterable[str]) -> list[ast.Module]:
    """Return the syntax trees of code cells, and of the code that IPython's commands in them are given."""
    return [tree for code in cells for tree in _trees(code)]


def _trees(code: str) -> Iterator[ast.Module]:
    """Yield the trees of a cell; none where it does not parse: its execution will fail, and say where."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager  # here, as hardly any cell needs it

        with suppress(SyntaxError):
            tree = ast.parse(TransformerManager().transform_cell(code))
            yield tree
            for given in (given for call in _calls([tree]) for given in _given(call)):
                yield from _trees(given)
    else:
        yield tree


def _given(call: ast.Call) -> list[str]:
    """Return the code that one of IPython's commands is given; none where the call is no such command."""
    if _called(call) not in COMMANDS or _command(call) not in RUNNING:
        return []
    texts = [str(getattr(part, "value", "")) for part in call.args[1:]]
    if _command(call) == "capture":  # whose line says where to
        texts = texts[1:]
    return [code for text in texts if (code := OPTIONS.sub("", text))]


def _command(call: ast.Call) -> str:
    """Return the name of IPython's command; an empty text where it is not written out."""
    return str(call.args[0].value) if call.args and isinstance(call.args[0], ast.Constant) else ""


def require_readable(trees: Iterable[ast.Module]) -> None:
    """Raise a `DependencyError` where code runs other code that its text does not name."""
    trees = list(trees)
    for node in _unreadable_names(trees):
        raise DependencyError(f"a page cannot depend on what {ast.unparse(node)} does: import what it needs")
    for call in _calls(trees):
        given = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        name = _called(call)
        if name in IMPORTING and (not isinstance(given, str) or given.startswith(".")):
            raise DependencyError(
                f"write out the module in {ast.unparse(call)}: what a page needs is read off"
            )
        if name in SHELL or (isinstance(call.func, ast.Name) and name in RUNNING_TEXT):
            raise DependencyError(f"a page cannot depend on what {ast.unparse(call)} does: import it instead")
        if name in COMMANDS and not _is_readable(call):
            said = f"a page cannot depend on what {_written(call)} does"
            raise DependencyError(f"{said}: say it in Python, and import what it needs")


def _unreadable_names(trees: Iterable[ast.Module]) -> Iterator[ast.AST]:
    """Yield where code starts programs, or gives a function that imports another name."""
    called = {id(call.func) for call in _calls(trees)}
    for node in (node for tree in trees for node in ast.walk(tree)):
        match node:
            case ast.Import(names=names) if any(name.name.split(".")[0] in STARTING for name in names):
                yield node
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in STARTING:
                yield node
            case ast.ImportFrom(names=names) if any(name.name in IMPORTING and name.asname for name in names):
                yield node
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in IMPORTING and id(node) not in called:
                yield node


def _is_readable(call: ast.Call) -> bool:
    """Tell whether a command of IPython's runs nothing, or code that can be read."""
    return _command(call) in RUNNING | IDLE and all(any(_trees(code)) for code in _given(call))


def _written(call: ast.Call) -> str:
    """Return the first line of a command as a cell has it."""
    sign = "%%" if _called(call) == "run_cell_magic" else "%"
    words = [str(part.value) for part in call.args[:2] if isinstance(part, ast.Constant)]
    return f"{sign}{' '.join(words)}".rstrip() if words else ast.unparse(call)


def imported_names(tree: ast.Module, package: str = "") -> Iterator[str]:
    """Yield the dotted names that a module imports, or may: of ``from a import b``, both a and a.b.

    Args:
        tree: the module.
        package: the package it lies in, which relative imports start from.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in IMPORTING:
            names = [part.value for part in node.args[:1] if isinstance(part, ast.Constant)]
            yield from (name for name in names if isinstance(name, str))


def loaded_data_sets(trees: Iterable[ast.Module]) -> set[str]:
    """Return the texts that code hands, as first argument, to ``load``, ``fetch`` or ``fetch_checkpoint``."""
    return {
        call.args[0].value
        for call in _calls(trees)
        if _called(call) in ("load", "fetch", "fetch_checkpoint")
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def page_files(trees: Iterable[ast.Module], function: str) -> list[tuple[str, ...]]:
    """Return the names that code hands to ``pages.load`` (page and file) or to ``pages.save`` (file).

    Args:
        trees: the code.
        function: ``load`` or ``save``.

    Raises:
        DependencyError: a name is not written out, so that nobody knows what the call means before it runs.
    """
    count = {"load": 2, "save": 1}[function]
    found = []
    for call in _calls(trees):
        home = getattr(call.func, "value", None)
        if _called(call) != function or not isinstance(home, ast.Name) or home.id != "pages":
            continue
        names = [part.value for part in call.args[:count] if isinstance(part, ast.Constant)]
        if len(names) != count or not all(isinstance(name, str) for name in names):
            raise DependencyError(
                f"write out the names in {ast.unparse(call)}: what a page needs is read off"
            )
        found.append(tuple(map(str, names)))
    return found


def _calls(trees: Iterable[ast.Module]) -> Iterator[ast.Call]:
    return (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def reachable(trees: Iterable[ast.Module], package: Path) -> tuple[dict[str, Path], set[str]]:
    """Follow imports from code into a package.

    Args:
        trees: the code to start from.
        package: the package's folder; its name is the package's.

    Returns:
        The package's modules that the code runs, dotted name → file, and the top-level names of all
        else that the code or these modules import.
    """
    modules: dict[str, Path] = {}
    outside: set[str] = set()
    pending = [name for tree in trees for name in imported_names(tree)]
    while pending:
        parts = pending.pop().split(".")
        if parts[0] != package.name:
            outside.add(parts[0])
            continue
        # Importing a.b.c runs a, then a.b, then a.b.c; the last part may be no module, but a function.
        for dotted in (".".join(parts[:length]) for length in range(1, len(parts) + 1)):
            path = _module_file(dotted, package)
            if path and dotted not in modules:
                modules[dotted] = path
                home = dotted if path.name == "__init__.py" else dotted.rpartition(".")[0]
                pending += _module_imports(path, home)
    return modules, outside


def code_checksum(path: Path) -> str:
    """Return a checksum of what a module does: comments, docstrings and layout do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                if ast.get_docstring(node, clean=False) is not None:
                    node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def _module_file(dotted: str, package: Path) -> Path | None:
    path = package.parent.joinpath(*dotted.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _module_imports(path: Path, package: str) -> tuple[str, ...]:
    return tuple(imported_names(ast.parse(path.read_text(encoding="utf-8")), package))
