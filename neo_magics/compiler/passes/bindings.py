"""What each variable of a function is bound to, and who reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tvm
from tvm import relax

from neo_magics.compiler.passes import calls


class Bindings:
    """The bindings of a function without control flow, looked at before it is rewritten."""

    def __init__(self, function: relax.Function) -> None:
        self._values: dict[Any, Any] = {}
        self._users: dict[Any, list[Any]] = {}
        for block in function.body.blocks:
            for binding in block.bindings:
                self._add(binding.var, binding.value)
        self._read_by(None, function.body.body)

    def value(self, expression: Any) -> Any:
        """What a variable stands for, through other variables; a parameter stands for itself."""
        while isinstance(expression, relax.Var) and expression in self._values:
            expression = self._values[expression]
        return expression

    def calls(self, name: str) -> Iterator[tuple[Any, Any]]:
        """(variable, call) for each binding to a call of the operator."""
        return ((var, value) for var, value in self._values.items() if calls.name_of(value) == name)

    def sole_user(self, var: Any) -> Any | None:
        """The variable of the one binding that reads `var`, if there is just one and it is no result."""
        users = self._users.get(var, [])
        return users[0] if len(users) == 1 else None

    def _add(self, var: Any, value: Any) -> None:
        self._values[var] = value
        operands: list[Any] = [value]
        if isinstance(value, tvm.ir.Call):
            operands = list(value.args)
        elif isinstance(value, relax.Tuple):
            operands = list(value.fields)
        elif isinstance(value, relax.TupleGetItem):
            operands = [value.tuple_value]
        for operand in operands:
            fields = operand.fields if isinstance(operand, relax.Tuple) else [operand]
            for field in fields:
                self._read_by(var, field)

    def _read_by(self, user: Any, operand: Any) -> None:
        if isinstance(operand, relax.Var):
            self._users.setdefault(operand, []).append(user)
