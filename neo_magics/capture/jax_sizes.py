"""Free sizes of a traced JAX function: JAX's expressions of them as values of the graph."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neo_magics.capture.onnx_build import GraphMaker

_OPERATORS: dict[type, str] = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul"}
_CALLS = {"floordiv": "Div", "mod": "Mod", "max": "Max", "min": "Min"}


def is_known(size: Any) -> bool:
    """Whether a size is a number, and no expression of free ones."""
    return isinstance(size, int | np.integer)


class Sizes:
    """Where free sizes come from: the inputs' shapes. `inputs` are shapes of JAX by name."""

    def __init__(self, maker: GraphMaker, inputs: Mapping[str, Sequence[Any]]) -> None:
        self._maker = maker
        self._places = {
            str(size): (name, axis)
            for name, shape in inputs.items()
            for axis, size in enumerate(shape)
            if not is_known(size)
        }
        self._found: dict[str, str] = {}

    def measured(self, size: Any) -> str:
        """The name of a size as an int64 tensor [1]. `NotImplementedError` for an unusual expression."""
        text = str(size)
        if text not in self._found:
            number = self._value(ast.parse(text.replace("^", "**"), mode="eval").body)
            first = self._maker.constant(np.array([0], np.int64))
            self._found[text] = str(self._maker.add("Unsqueeze", number, first))
        return self._found[text]

    def _value(self, node: ast.expr) -> str:
        add = self._maker.add
        match node:
            case ast.Constant(value=int(number)):
                return self._maker.constant(np.int64(number))
            case ast.Name(id=name) if name in self._places:
                source, axis = self._places[name]
                return str(add("Gather", add("Shape", source), self._maker.constant(np.int64(axis)), axis=0))
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return str(add("Neg", self._value(inner)))
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
                return str(add(_OPERATORS[type(operator)], self._value(left), self._value(right)))
            case ast.Call(func=ast.Name(id=name), args=[left, right]) if name in _CALLS:
                return str(add(_CALLS[name], self._value(left), self._value(right)))
        raise NotImplementedError(f"of the free size {ast.unparse(node)}")
