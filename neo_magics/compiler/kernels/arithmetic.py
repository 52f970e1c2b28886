"""Small parts that the functions of `math`, `logarithm` and `sine` are made of, as TIR expressions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tvm import tirx

ROUND = 12582912.0  # 1.5 · 2²³: a float32 plus this has no room for a fraction, so it is rounded


def bind(value: Any, body: Callable[[Any], Any]) -> Any:
    """`body` of a name for `value`, so that it is computed once."""
    name = tirx.Var("v", value.dtype if hasattr(value, "dtype") else value.ty)
    return tirx.Let(name, value, body(name))


def float32(value: float) -> Any:
    """A number."""
    return tirx.const(value, "float32")


def horner(x: Any, coefficients: Sequence[float]) -> Any:
    """The polynomial with these coefficients, highest power first."""
    total = float32(coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + float32(coefficient)
    return total


def clamped(x: Any, low: Any, high: Any) -> Any:
    """`x` within the bounds; the order of the operands is the one that lets NaN through."""
    return tirx.min(high, tirx.max(low, x))
