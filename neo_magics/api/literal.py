"""Texts that are JSON by the book and Python literals in practice.

The API reference says JSON for DataInputConfig and CompilerOptions, and its own examples use single
quotes; so both are read.
"""

from __future__ import annotations

import ast
import json
from typing import Any


class _RepeatedName(ValueError):
    """A dictionary that gives the same name twice."""


def parse_literal(text: str) -> Any:
    """The value of `text`, JSON or a Python literal.

    Raises ValueError with one short sentence if it is neither, or if a name occurs twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return _python_literal(text, error)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _python_literal(text: str, json_error: json.JSONDecodeError) -> Any:
    try:
        tree = ast.parse(text.strip(), mode="eval")
        _refuse_repeated(tree)
        return ast.literal_eval(tree)
    except _RepeatedName:
        raise
    except (SyntaxError, ValueError, TypeError):
        where = f"line {json_error.lineno} column {json_error.colno}"
        raise ValueError(f"it is neither JSON ({json_error.msg} at {where}) nor a Python literal") from None
    except (RecursionError, MemoryError):
        raise ValueError("it is nested too deeply") from None


def _refuse_repeated(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            _unique([(key.value, None) for key in node.keys if isinstance(key, ast.Constant)])


def _unique(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    seen: dict[Any, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise _RepeatedName(f"the name {name!r} occurs twice")
        seen[name] = value
    return seen


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a value of JSON")
