"""Complex numbers of JAX as pairs of real arrays: ONNX's operators have no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from neo_magics.capture.jax_fourier import transformed
from neo_magics.capture.jax_step import Converter, Step


class Complex(NamedTuple):
    """The names of both parts in the graph."""

    real: str
    imag: str


Value = str | Complex
_MOST_FACTORS = 16


def is_complex(dtype: Any) -> bool:
    """Whether a dtype of JAX is one of complex numbers; random keys have dtypes of their own."""
    return getattr(dtype, "kind", "") == "c"


def real_dtype(dtype: Any) -> np.dtype[Any]:
    """The dtype of each part; others as they are."""
    return np.zeros(0, dtype).real.dtype


class ComplexStep:
    """One equation with complex numbers; `step` has its shapes, and the parts' dtypes."""

    def __init__(self, name: str, step: Step, inputs: Sequence[Value], converters: Mapping[str, Converter]):
        self.name, self.step, self.inputs, self._converters = name, step, inputs, converters

    def real_operator(self, *inputs: str, name: str = "") -> str:
        """The operator of real numbers on one part of each input."""
        found = self._converters[name or self.name](replace(self.step, inputs=list(inputs)))
        return found if isinstance(found, str) else found[0]

    def add(self, operator: str, *inputs: str) -> str:
        """The name of an ONNX operator's result."""
        return self.step.add(operator, *inputs)

    def parts(self, index: int) -> Complex:
        """Input `index`; a real one has zeros for its second part."""
        value = self.inputs[index]
        return value if isinstance(value, Complex) else Complex(value, self.zeros(index))

    def zeros(self, index: int) -> str:
        """Zeros in the shape of an input."""
        return self.add("Expand", self.step.number(0), self.step.whole(*self.step.shapes[index]))


def _apart(step: ComplexStep) -> list[Complex]:
    """Operators that do the same to both parts; indices and conditions are real."""
    results = []
    for part in (0, 1):
        taken = [value[part] if isinstance(value, Complex) else value for value in step.inputs]
        found = step._converters[step.name](replace(step.step, inputs=taken))
        results.append([found] if isinstance(found, str) else list(found))
    return [Complex(*pair) for pair in zip(*results, strict=True)]


def _bilinear(step: ComplexStep) -> Complex:
    """Products of any kind, of real and imaginary parts: (a + bi)(c + di)."""
    first, second = step.inputs
    if not isinstance(second, Complex):
        return Complex(*(step.real_operator(part, second) for part in step.parts(0)))
    if not isinstance(first, Complex):
        return Complex(*(step.real_operator(first, part) for part in second))
    plain = step.real_operator(first.real, second.real), step.real_operator(first.imag, second.imag)
    mixed = step.real_operator(first.real, second.imag), step.real_operator(first.imag, second.real)
    return Complex(step.add("Sub", *plain), step.add("Add", *mixed))


def _times(step: ComplexStep, first: Complex, second: Complex) -> Complex:
    """The product, element by element."""
    plain = [step.add("Mul", *pair) for pair in zip(first, second, strict=True)]
    mixed = [step.add("Mul", *pair) for pair in zip(first, second[::-1], strict=True)]
    return Complex(step.add("Sub", *plain), step.add("Add", *mixed))


def _quotient(step: ComplexStep) -> Complex:
    """By the conjugate: a / b = a b* / |b|²."""
    above, below = step.parts(0), step.parts(1)
    size = step.add("Add", *(step.add("Mul", part, part) for part in below))
    product = _times(step, above, Complex(below.real, step.add("Neg", below.imag)))
    return Complex(*(step.add("Div", part, size) for part in product))


def _power(step: ComplexStep) -> Complex:
    exponent, base = int(step.step.params.get("y", 2)), step.parts(0)
    if not 1 <= exponent <= _MOST_FACTORS:
        raise NotImplementedError(f"of complex numbers with exponent {exponent}")
    result = base
    for _factor in range(exponent - 1):
        result = _times(step, result, base)
    return result


def _size(step: ComplexStep) -> str:
    """The absolute value, scaled so that squares do not overflow."""
    parts = [step.add("Abs", part) for part in step.parts(0)]
    large, small = step.add("Max", *parts), step.add("Min", *parts)
    nothing = step.add("Equal", large, step.step.number(0))
    ratio = step.add("Div", small, step.add("Where", nothing, step.step.number(1), large))
    grown = step.add("Add", step.step.number(1), step.add("Mul", ratio, ratio))
    return step.add("Mul", large, step.add("Sqrt", grown))


def _exponential(step: ComplexStep) -> Complex:
    x = step.parts(0)
    grown = step.add("Exp", x.real)
    return Complex(*(step.add("Mul", grown, step.add(wave, x.imag)) for wave in ("Cos", "Sin")))


def _converted(step: ComplexStep) -> Value:
    """A real result drops the second part, as JAX does."""
    wanted = step.step.params["new_dtype"]
    parts = step.parts(0) if is_complex(wanted) else (step.parts(0).real,)
    cast = [step.step.cast(part, real_dtype(wanted)) for part in parts]
    return Complex(*cast) if len(cast) > 1 else cast[0]


def _fourier(step: ComplexStep) -> Value:
    value = step.inputs[0]
    parts = [value.real, value.imag] if isinstance(value, Complex) else [value]
    found = transformed(step.step, parts)
    return Complex(*found) if len(found) > 1 else found[0]


def _equal(step: ComplexStep) -> str:
    same = [step.add("Equal", *pair) for pair in zip(step.parts(0), step.parts(1), strict=True)]
    both = step.add("And", *same)
    return both if step.name == "eq" else step.add("Not", both)


_APART = (
    "add", "add_any", "sub", "neg", "broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose",
    "rev", "slice", "dynamic_slice", "dynamic_update_slice", "pad", "concatenate", "split", "gather", "stack",
    "tile", "select_n", "reduce_sum", "cumsum", "copy", "copy_p", "stop_gradient", "optimization_barrier",
)  # fmt: skip
COMPLEX: dict[str, Callable[[ComplexStep], Value | Sequence[Value]]] = {
    **dict.fromkeys(_APART, _apart),
    **dict.fromkeys(("mul", "dot_general", "conv_general_dilated"), _bilinear),
    "div": _quotient,
    "integer_pow": _power,
    "square": _power,
    "exp": _exponential,
    "abs": _size,
    "real": lambda step: step.parts(0).real,
    "imag": lambda step: step.parts(0).imag,
    "complex": lambda step: Complex(*map(str, step.inputs)),
    "conj": lambda step: Complex(step.parts(0).real, step.add("Neg", step.parts(0).imag)),
    "convert_element_type": _converted,
    "fft": _fourier,
    "eq": _equal,
    "ne": _equal,
}
