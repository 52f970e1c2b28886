"""JAX's primitives in terms of ONNX's operators, one function each: element by element, and the whole table.

A converter takes a `Step` and returns the name of its result, or of several. What it cannot express it
refuses with `NotImplementedError` and the reason; names and layers are added where all of them are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neo_magics.capture import (
    jax_linear_algebra,
    jax_reductions,
    jax_scatter,
    jax_selection,
    jax_shapes,
)
from neo_magics.capture.jax_step import Converter, Step


def _same(operator: str, **attributes: Any) -> Converter:
    return lambda step: step.add(operator, *step.inputs, **attributes)


def _identity(step: Step) -> str | Sequence[str]:
    return list(step.inputs)


def _boolean(logical: str, bitwise: str) -> Converter:
    def convert(step: Step) -> str:
        if step.dtypes[0] == np.bool_:
            return step.add(logical, *step.inputs)
        return step.add(bitwise, *step.inputs)

    return convert


def _equal(step: Step) -> str:
    if step.dtypes[0] == np.bool_:
        return step.add("Not", step.add("Xor", *step.inputs))
    return step.add("Equal", *step.inputs)


def _remainder(step: Step) -> str:
    """Of the dividend's sign, as C's."""
    return step.add("Mod", *step.inputs, fmod=1)


def _power(step: Step) -> str:
    return step.add("Pow", step.inputs[0], step.number(step.params["y"]))


def _unary(*operators: str) -> Converter:
    """One operator after the other."""

    def convert(step: Step) -> str:
        value = step.inputs[0]
        for operator in operators:
            value = step.add(operator, value)
        return value

    return convert


def _round(step: Step) -> str:
    x = step.inputs[0]
    if int(step.params["rounding_method"]) == 1:  # to even
        return step.add("Round", x)
    away = step.add("Floor", step.add("Add", step.add("Abs", x), step.number(0.5)))
    return step.add("Mul", step.add("Sign", x), away)


def _log1p(step: Step) -> str:
    """With the correction that keeps its digits near 0: log(1 + x) · x / ((1 + x) − 1)."""
    x, one = step.inputs[0], step.number(1)
    grown = step.add("Add", x, one)
    rest = step.add("Sub", grown, one)
    exact = step.add("Equal", rest, step.number(0))
    safe = step.add("Where", exact, one, rest)
    scaled = step.add("Mul", step.add("Log", grown), step.add("Div", x, safe))
    infinite = step.add("Equal", grown, step.number(np.inf))
    return step.add("Where", exact, x, step.add("Where", infinite, grown, scaled))


def _expm1(step: Step) -> str:
    """By tanh(x / 2) near 0, where exp(x) − 1 loses its digits: 2 t / (1 − t)."""
    x, one = step.inputs[0], step.number(1)
    half = step.add("Tanh", step.add("Mul", x, step.number(0.5)))
    near = step.add("Div", step.add("Add", half, half), step.add("Sub", one, half))
    small = step.add("Less", step.add("Abs", x), step.number(0.5))
    return step.add("Where", small, near, step.add("Sub", step.add("Exp", x), one))


def _is_finite(step: Step) -> str:
    x = step.inputs[0]
    return step.add("Not", step.add("Or", step.add("IsInf", x), step.add("IsNaN", x)))


def _select(step: Step) -> str:
    if step.dtypes[0] != np.bool_:
        return _select_by_number(step)
    which, no, yes = step.inputs
    if step.dtypes[1] != np.bool_:
        return step.add("Where", which, yes, no)
    taken = step.add("And", which, yes), step.add("And", step.add("Not", which), no)
    return step.add("Or", *taken)


def _select_by_number(step: Step) -> str:
    """A number beyond the cases means the last one."""
    which, found, *others = step.inputs
    for number, case in enumerate(others, 1):
        here = step.add("GreaterOrEqual", which, step.number(number))
        found = _select(replace(step, inputs=[here, found, case], dtypes=[np.dtype(bool), *step.dtypes[1:]]))
    return found


def _clamp(step: Step) -> str:
    low, x, high = step.inputs
    return step.add("Min", step.add("Max", x, low), high)


def _sign(step: Step) -> str:
    """TVM's of NaN is 0."""
    x = step.inputs[0]
    found = step.add("Sign", x)
    return step.add("Where", step.add("IsNaN", x), x, found) if step.dtypes[0].kind == "f" else found


def _extreme(operator: str, beyond: str) -> Converter:
    """NaN if one of both is NaN, for which TVM has an order."""

    def convert(step: Step) -> str:
        x, y = step.inputs
        if step.dtypes[0].kind != "f":
            return step.add(operator, x, y)
        if step.known[0] is not None and step.known[0].ndim == 0:
            x, y, known = y, x, step.known[0]
        else:
            known = step.known[1]
        if known is not None and known.ndim == 0 and known == 0 and operator == "Max":
            return step.add("Relu", x)
        taken = step.add(beyond, x, y)
        if known is None or np.isnan(known).any():
            taken = step.add("Or", taken, step.add("IsNaN", y))
        return step.add("Where", taken, y, x)

    return convert


def _compared(operator: str) -> Converter:
    """Truths are compared as numbers."""

    def convert(step: Step) -> str:
        if step.dtypes[0] != np.bool_:
            return step.add(operator, *step.inputs)
        return step.add(operator, *(step.cast(each, np.int32) for each in step.inputs))

    return convert


def _convert(step: Step) -> str:
    return step.cast(step.inputs[0], step.result_dtype)


def _ordered(operator: str) -> Converter:
    """As `operator` in an order that has NaN behind infinity, which a search needs."""

    def convert(step: Step) -> str:
        x, y = step.inputs
        plain = step.add(operator, x, y)
        if step.dtypes[0].kind != "f":
            return plain
        behind = step.add("IsNaN", y)
        if operator == "Less":
            behind = step.add("And", behind, step.add("Not", step.add("IsNaN", x)))
        return step.add("Or", plain, behind)

    return convert


_PLAIN = {
    "add": "Add", "add_any": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow",
    "neg": "Neg", "exp": "Exp", "log": "Log", "tanh": "Tanh", "sin": "Sin", "cos": "Cos",
    "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh",
    "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf", "logistic": "Sigmoid",
    "sqrt": "Sqrt", "abs": "Abs", "floor": "Floor", "ceil": "Ceil",
}  # fmt: skip
_COMPARED = {"lt": "Less", "le": "LessOrEqual", "gt": "Greater", "ge": "GreaterOrEqual"}
CONVERTERS: dict[str, Converter] = {
    **{name: _same(operator) for name, operator in _PLAIN.items()},
    **{name: _compared(operator) for name, operator in _COMPARED.items()},
    "max": _extreme("Max", "Less"),
    "min": _extreme("Min", "Greater"),
    "sign": _sign,
    **dict.fromkeys(("stop_gradient", "copy", "copy_p", "optimization_barrier", "name"), _identity),
    "eq": _equal,
    "ne": lambda step: step.add("Not", _equal(step)),
    "not": _boolean("Not", "BitwiseNot"),
    "and": _boolean("And", "BitwiseAnd"),
    "or": _boolean("Or", "BitwiseOr"),
    "xor": _boolean("Xor", "BitwiseXor"),
    "rem": _remainder,
    "integer_pow": _power,
    "square": lambda step: step.add("Mul", step.inputs[0], step.inputs[0]),
    "rsqrt": _unary("Sqrt", "Reciprocal"),
    "erfc": lambda step: step.add("Sub", step.number(1), step.add("Erf", step.inputs[0])),
    "exp2": lambda step: step.add("Pow", step.number(2), step.inputs[0]),
    "round": _round,
    "log1p": _log1p,
    "expm1": _expm1,
    "is_finite": _is_finite,
    "select_n": _select,
    "lt_to": _ordered("Less"),
    "le_to": _ordered("LessOrEqual"),
    "clamp": _clamp,
    "convert_element_type": _convert,
    **jax_shapes.CONVERTERS,
    **jax_reductions.CONVERTERS,
    **jax_selection.CONVERTERS,
    **jax_scatter.CONVERTERS,
    **jax_linear_algebra.CONVERTERS,
}
