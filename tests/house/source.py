"""The package's own source, read once: what the tests of the house's conventions look at."""

import ast
from collections.abc import Iterator
from pathlib import Path

import guildhouse

ROOT = Path(guildhouse.__file__).parent
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(within: str = "") -> list[Path]:
    """The Python files of the package, without the migrations, which nobody reads twice."""
    return sorted(path for path in (ROOT / within).rglob("*.py") if "migrations" not in path.parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines of a function, its docstring not counted: words are not complexity."""
    body = function.body
    has_docstring = ast.get_docstring(function) is not None
    docstring = (body[0].end_lineno or 0) - body[0].lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The text constants of a file that are not docstrings, with their lines."""
    module = tree(path)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | Function) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value
