"""Reads the values that a magic's options name: variables, their attributes and items. Nothing is called."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from typing import Any

from neo_magics.errors import UsageError
from neo_magics.magics.own_names import own_names

_ALLOWED = "a variable, its attributes and items, or a tuple, list or dict of those"


def resolve(text: str, namespace: Mapping[str, Any], option: str) -> Any:
    """The value of `text`, such as `x`, `data["x"][:1]`, `(x, mask)` or `{"ids": x}`.

    Raises:
        UsageError: an unknown name (with the nearest ones), or an expression of another kind.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise UsageError(f"{option} {text!r} is not an expression.", hint=f"It takes {_ALLOWED}.") from error
    return _Resolver(namespace, option).value(tree)


class _Resolver:
    def __init__(self, namespace: Mapping[str, Any], option: str) -> None:
        self.namespace, self.option = namespace, option

    def value(self, node: ast.expr | None) -> Any:
        if node is None:
            return None
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise UsageError(
                f"{self.option} cannot hold {ast.unparse(node)!r}.",
                hint=f"It takes {_ALLOWED}; compute the value in a cell and name it.",
            )
        return method(node)

    def _name(self, node: ast.Name) -> Any:
        if node.id not in self.namespace:
            near = difflib.get_close_matches(node.id, own_names(self.namespace), 1)
            hint = f"Did you mean {near[0]}?" if near else "Define it in a cell first."
            raise UsageError(f"{self.option}: there is no variable {node.id!r}.", hint=hint)
        return self.namespace[node.id]

    def _attribute(self, node: ast.Attribute) -> Any:
        try:
            return getattr(self.value(node.value), node.attr)
        except AttributeError as error:
            raise UsageError(f"{self.option}: {error}.") from error

    def _subscript(self, node: ast.Subscript) -> Any:
        try:
            return self.value(node.value)[self.value(node.slice)]
        except (LookupError, TypeError) as error:
            raise UsageError(f"{self.option}: {ast.unparse(node)}: {error}.") from error

    def _slice(self, node: ast.Slice) -> slice:
        return slice(self.value(node.lower), self.value(node.upper), self.value(node.step))

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _unaryop(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            return -self.value(node.operand)
        raise UsageError(f"{self.option} cannot hold {ast.unparse(node)!r}.", hint=f"It takes {_ALLOWED}.")

    def _tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self.value(item) for item in node.elts)

    def _list(self, node: ast.List) -> list[Any]:
        return [self.value(item) for item in node.elts]

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        return {self.value(k): self.value(v) for k, v in zip(node.keys, node.values, strict=True)}
