"""Element types that LLVM has none like: floats of 8 and 4 bits, whole numbers of 4 and 2.

A tensor of such a type is carried one element a byte, as ml_dtypes stores it: whole numbers by their value,
floats by their bits. What only moves elements works on the carrier; converters of Cast, QuantizeLinear and
their like decode and encode; every other operator is refused for such a type.

TVM: has the types, but no code for their arithmetic on CPUs, and packs two 4-bit elements into a byte where
NumPy has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.artifact.dtypes import carrier
from neo_magics.compiler.frontends.onnx_fixes.node import Node, cast, constant

MOVERS = frozenset(
    ("Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Split", "Slice")
) | frozenset(("Gather", "Expand", "Tile", "Constant", "Shape", "Size", "Where"))
Array = np.ndarray[Any, Any]


def integer_range(dtype: str) -> tuple[int, int]:
    """The least and the largest of a type of whole numbers."""
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    return (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def decoded(node: Node, tensor: Any, dtype: str, to: str) -> Any:
    """A tensor of the narrow `dtype` as a plain one of dtype `to`: floats by a table of all their values."""
    if "int" in dtype:
        return cast(node, tensor, to)
    values = np.arange(256, dtype="uint8").view(_numpy(dtype)).astype("float32")
    found = node.emit(relax.op.take(constant(values), cast(node, tensor, "int32"), axis=None, mode="clip"))
    return cast(node, found, to)


def encoded(node: Node, tensor: Any, dtype: str, *, saturate: bool = True, rounding: str = "even") -> Any:
    """A plain tensor in the carrier of the narrow `dtype`.

    Whole numbers lose their fraction, then wrap, as NumPy's do. Floats are rounded to "even", "nearest" (ties
    up), "up" or "down"; what is too large becomes the largest with `saturate`, else what the type
    has for infinity.
    """
    if "int" in dtype:
        return _wrapped(node, tensor, dtype)
    x = cast(node, tensor, "float32")
    codes = _codes(dtype, saturate, rounding)
    magnitude = node.emit(relax.op.abs(x))
    edges = constant(codes.edges)
    index = node.emit(relax.op.bucketize(magnitude, edges, out_int32=True, right=True))
    code = node.emit(relax.op.take(constant(codes.positive), index, axis=None, mode="clip"))
    if codes.negative is not None:
        below = node.emit(relax.op.take(constant(codes.negative), index, axis=None, mode="clip"))
        code = node.emit(relax.op.where(_is_negative(node, x), below, code))
    nan = node.emit(relax.op.isnan(x) if codes.negative is not None else _not_finite(node, x))
    return node.emit(relax.op.where(nan, relax.const(codes.nan, "uint8"), code))


def _not_finite(node: Node, x: Any) -> Any:
    return node.emit(relax.op.logical_not(node.emit(relax.op.isfinite(x))))


def _is_negative(node: Node, x: Any) -> Any:
    """Whether the sign is set; that of -0 too: 1 / -0 is less than 0."""
    one, zero = (relax.const(value, "float32") for value in (1, 0))
    inverse = node.emit(relax.op.divide(one, x))
    below = node.emit(relax.op.less(x, zero))
    return node.emit(relax.op.logical_or(below, node.emit(relax.op.less(inverse, zero))))


def _wrapped(node: Node, tensor: Any, dtype: str) -> Any:
    low, high = integer_range(dtype)
    whole = cast(node, tensor, "int32")
    bits = node.emit(relax.op.bitwise_and(whole, relax.const(high - low, "int32")))
    if low < 0:
        shifted = node.emit(relax.op.subtract(bits, relax.const(high - low + 1, "int32")))
        bits = node.emit(
            relax.op.where(node.emit(relax.op.greater(bits, relax.const(high, "int32"))), shifted, bits)
        )
    return cast(node, bits, carrier(dtype))


@dataclass(frozen=True)
class _Codes:
    """The codes of a narrow float: `positive[k]` is that of a magnitude not below k of the `edges`.

    `negative` is None where the type has no sign. An edge is the least float32 that is rounded to the upper
    one of its neighbours.
    """

    edges: Array
    positive: Array
    negative: Array | None
    nan: int


def _codes(dtype: str, saturate: bool, rounding: str) -> _Codes:
    kind, count = _numpy(dtype), 16 if dtype == "float4_e2m1fn" else 256
    values = np.arange(count, dtype="uint8").view(kind).astype("float32")
    usable = np.flatnonzero(np.isfinite(values) & ~np.signbit(values))
    codes = usable[np.argsort(values[usable])].astype("uint8")
    infinite = np.array([np.inf, -np.inf], "float32").astype(kind).view("uint8")
    positive = np.append(codes, codes[-1] if saturate else infinite[0])
    negative = None
    if np.signbit(values[np.isfinite(values)]).any():
        negative = (-positive.view(kind).astype("float32")).astype(kind).view("uint8")
        negative[-1] = negative[-2] if saturate else infinite[1]
    edges = _edges(values[codes].astype("float64"), codes, rounding)
    return _Codes(edges, positive, negative, int(np.array(np.nan, "float32").astype(kind).view("uint8")))


def _edges(values: Array, codes: Array, rounding: str) -> Array:
    """Where each of `values` is left for the next one; beyond the last it goes on as before."""
    last, before = values[-1], values[-2]
    upper = np.append(values[1:], last * 2 if last == 2 * before else 2 * last - before)
    if rounding == "up":
        return _above(values.astype("float32"))
    if rounding == "down":
        return upper.astype("float32")
    middle = ((values + upper) / 2).astype("float32")
    stays = (codes % 2 == 0) & (rounding == "even")  # a tie goes to the even code; else to the upper one
    return np.where(stays, _above(middle), middle)


def _above(values: Array) -> Array:
    return np.asarray(np.nextafter(values, np.float32(np.inf)))


def _numpy(dtype: str) -> Any:
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, dtype))
