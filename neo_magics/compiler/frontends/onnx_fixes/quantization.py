"""QuantizeLinear and DequantizeLinear.

TVM: knows neither blocks nor a precision, and fails on the narrow types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.artifact.dtypes import carrier, is_narrow
from neo_magics.compiler.frontends.onnx_fixes.narrow import decoded, encoded, integer_range
from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)
from neo_magics.compiler.frontends.onnx_graph import element_name

Array = np.ndarray[Any, Any]
_BYTES = ("int8", "uint8")


def _quantize(node: Node) -> Any:
    x, scale = node.tensor(0), node.tensor(1)
    to = _quantized_type(node)
    precision = int(node.attribute("precision", 0))
    if to in _BYTES and not node.attribute("block_size", 0) and not precision and dtype_of(x) == "float32":
        zero = node.tensor(2) if node.has(2) else relax.const(0, to)
        return relax.op.quantize(x, scale, zero, axis=_axis(node), out_dtype=to)
    if precision:
        x, scale = (cast(node, t, element_name(precision)) for t in (x, scale))
    ratio = node.emit(relax.op.divide(x, cast(node, _spread(node, scale), dtype_of(x))))
    if "float" in to:
        return encoded(node, ratio, to, saturate=bool(node.attribute("saturate", 1)))
    whole = cast(node, node.emit(relax.op.round(ratio)), "float32")
    if node.has(2):
        whole = node.emit(relax.op.add(whole, cast(node, _spread(node, node.tensor(2)), "float32")))
    return clipped(node, whole, to)


def _dequantize(node: Node) -> Any:
    x, scale = node.tensor(0), node.tensor(1)
    source = node.input_types[0] or dtype_of(x)
    to = element_name(int(node.attribute("output_dtype", 0))) or dtype_of(scale)
    known = _known(node) if "int" in source and to == "float32" else None
    if known is not None:
        return constant(known)
    plain = source in (*_BYTES, "int32") and not node.attribute("block_size", 0) and to == dtype_of(scale)
    if plain and to == "float32":
        zero = node.tensor(2) if node.has(2) else relax.const(0, source)
        return relax.op.dequantize(x, scale, zero, axis=_axis(node), out_dtype=to)
    value = decoded(node, x, source, "float32") if is_narrow(source) else cast(node, x, "float32")
    if node.has(2) and "float" not in source:
        value = node.emit(relax.op.subtract(value, cast(node, _spread(node, node.tensor(2)), "float32")))
    value = node.emit(relax.op.multiply(value, cast(node, _spread(node, scale), "float32")))
    return cast(node, value, to)


def _known(node: Node) -> Array | None:
    """The result where everything is constant: weights."""
    parts = [node.constant(k) if node.has(k) else np.zeros((), "int32") for k in range(3)]
    x, scale, zero = parts
    if x is None or scale is None or zero is None or node.attribute("block_size", 0):
        return None
    wide = [part.reshape(_spread_shape(node, part.shape, x.ndim)).astype("float32") for part in (scale, zero)]
    return np.asarray((x.astype("float32") - wide[1]) * wide[0])


def _quantized_type(node: Node) -> str:
    """The type of the result: as said, as the zero point's, or uint8."""
    said = element_name(int(node.attribute("output_dtype", 0)))
    zero = (node.input_types[2] or dtype_of(node.tensor(2))) if node.has(2) else ""
    return said or zero or "uint8"


def _axis(node: Node) -> int:
    """The axis that scales are along; a vector has but one."""
    rank = len(shape_of(node.tensor(0)))
    axis = int(node.attribute("axis", 1))
    return 0 if rank <= 1 else normal_axis(axis, rank)


def _spread(node: Node, value: Any) -> Any:
    """A scale or zero point in a shape that broadcasts with the tensor: a number, one a row, or a block."""
    sizes, shape = shape_of(value), shape_of(node.tensor(0))
    block = int(node.attribute("block_size", 0))
    if not sizes:
        return value
    if not block:
        return node.emit(relax.op.reshape(value, _spread_shape(node, sizes, len(shape))))
    axis = _axis(node)
    wide = node.emit(relax.op.repeat(value, block, axis))
    if shape_of(wide)[axis] == shape[axis]:
        return wide
    return node.emit(relax.op.strided_slice(wide, [axis], [0], [shape[axis]]))


def _spread_shape(node: Node, sizes: Sequence[Any], rank: int) -> list[Any]:
    """The shape that a number or a vector along the node's axis broadcasts in."""
    if not sizes or list(sizes) == [1]:
        return []
    axis = _axis(node)
    return [sizes[0] if k == axis else 1 for k in range(rank)]


def clipped(node: Node, value: Any, to: str) -> Any:
    """A float32 `value` as whole numbers of `to`, those beyond its ends at the ends."""
    low, high = integer_range(to)
    within = node.emit(relax.op.clip(value, low, high))
    return cast(node, cast(node, within, "int32"), carrier(to))


CONVERTERS = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
