"""Which calls of functions become arithmetic, so that they run on whole vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx

from neo_magics.compiler.kernels.logarithm import log, log1p, log2, log10, power
from neo_magics.compiler.kernels.math import cosh, erf, exp, sigmoid, sinh, tanh
from neo_magics.compiler.kernels.sine import cos, sin

# Of any float; what they are made of is expanded again.
_ANY: dict[str, Callable[..., Any]] = {
    "tirx.cosh": cosh,
    "tirx.sinh": sinh,
    "tirx.pow": power,
    "tirx.rsqrt": lambda x: tirx.const(1, x.ty.dtype) / tirx.sqrt(x),
}


def _isnan(x: Any) -> Any:
    """By its bits: TVM takes x ≠ x for false."""
    bits = tirx.bitwise_and(tirx.reinterpret("int32", x), tirx.const(0x7FFFFFFF, "int32"))
    return bits > tirx.const(0x7F800000, "int32")


_FLOAT32: dict[str, Callable[..., Any]] = {
    "tirx.exp": exp,
    "tirx.erf": erf,
    "tirx.tanh": tanh,
    "tirx.sigmoid": sigmoid,
    "tirx.isnan": _isnan,
    "tirx.log": log,
    "tirx.log2": log2,
    "tirx.log10": log10,
    "tirx.log1p": log1p,
    "tirx.sin": sin,
    "tirx.cos": cos,
}


def expand(call: Any) -> Any:
    """A call of one of these functions as arithmetic; any other call as it is."""
    name = call.op.name if isinstance(call.op, tvm.ir.Op) else ""
    made = _ANY[name](*call.args) if name in _ANY else None
    if made is not None:
        return tvm_ffi.structural_map(made, [(tvm.ir.Call, expand)])
    known = _FLOAT32.get(name)
    return known(*call.args) if known and str(call.args[0].ty.dtype) == "float32" else call
