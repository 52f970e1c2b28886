"""Products of quantised tensors: QLinearConv, QLinearMatMul, ConvInteger and MatMulInteger.

TVM: has only the last one. With constant weights they become the QDQ form, in which the data go to bytes and
back and the product is one of float32, for packing knows how to multiply bytes there. What differs is the
rounding of a tie, and of sums of ConvInteger and MatMulInteger beyond 2^24. Else they are products of int32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    by_tvm,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)
from neo_magics.compiler.frontends.onnx_fixes.quantization import clipped

Array = np.ndarray[Any, Any]


def _linear_convolution(node: Node) -> Any:
    """QLinearConv (x, scale, zero, w, scale, zero, y scale, y zero, bias)."""
    weight = _known_weight(node, 3, 0)
    if weight is None:
        sums = by_tvm(node, "Conv", [_centred(node, 0, 2, None), _centred(node, 3, 5, 0)])
        sums = _with_bias(node, sums, node.tensor(8)) if node.has(8) else sums
        scales = [node.tensor(1), _along(node, node.tensor(4), shape_of(sums), 1)]
        return _requantized(node, sums, scales)
    product = node.emit(by_tvm(node, "Conv", [_wide(node, 0), constant(weight)]))
    if node.has(8):
        scale = node.emit(relax.op.multiply(_flat(node, 1), _flat(node, 4)))
        bias = node.emit(relax.op.multiply(cast(node, node.tensor(8), "float32"), scale))
        product = _with_bias(node, product, bias)
    return _narrow(node, product)


def _linear_matmul(node: Node) -> Any:
    """QLinearMatMul (a, scale, zero, b, scale, zero, y scale, y zero)."""
    weight = _known_weight(node, 3, -1)
    if weight is None or shape_of(number(node, 1)):
        a, b = (_centred(node, k, k + 2, -2 if k == 0 else -1) for k in (0, 3))
        product = node.emit(relax.op.matmul(a, b, "int32"))
        scales = [_along(node, node.tensor(k), shape_of(product), -2 if k == 1 else -1) for k in (1, 4)]
        return _requantized(node, product, scales)
    return _narrow(node, node.emit(relax.op.matmul(_wide(node, 0), constant(weight))))


def _conv_integer(node: Node) -> Any:
    """ConvInteger (x, w, x zero, w zero) → int32."""
    x, w = _centred(node, 0, 2, None), _centred(node, 1, 3, 0)
    if node.constant(1) is None:
        return by_tvm(node, "Conv", [x, w])
    return _whole(node, by_tvm(node, "Conv", [cast(node, x, "float32"), _as_float(node, 1, 3, 0)]))


def integer_product(node: Node) -> Any:
    """MatMulInteger (a, b, a zero, b zero) → int32."""
    a = _centred(node, 0, 2, -2)
    if node.constant(1) is None:
        return relax.op.matmul(a, _centred(node, 1, 3, -1), "int32")
    return _whole(node, relax.op.matmul(cast(node, a, "float32"), _as_float(node, 1, 3, -1)))


def _whole(node: Node, product: Any) -> Any:
    return relax.op.astype(node.emit(relax.op.round(node.emit(product))), "int32")


def _as_float(node: Node, index: int, zero: int, axis: int) -> Any:
    """A constant input without its zero point, as float32."""
    value, point = node.constant(index), node.constant(zero) if node.has(zero) else np.zeros((), "int32")
    if value is None or point is None:
        return cast(node, _centred(node, index, zero, axis), "float32")
    return constant(value.astype("float32") - _broadcast(point, value.ndim, axis).astype("float32"))


def _known_weight(node: Node, index: int, axis: int) -> Array | None:
    """Input `index` with the scale and zero point after it as float32, where all three are constant; the
    data's scale and zero point have to be, too."""
    parts = [
        node.constant(k) if node.has(k) else np.zeros((), "int32") for k in (*range(index, index + 3), 1, 2)
    ]
    if (
        any(part is None for part in parts)
        or not node.has(2)
        or dtype_of(node.tensor(0)) not in ("uint8", "int8")
    ):
        return None
    value, scale, zero = (np.asarray(part) for part in parts[:3])
    if str(scale.dtype) != "float32":
        return None
    scale, zero = (_broadcast(part, value.ndim, axis) for part in (scale, zero))
    return np.asarray((value.astype("float32") - zero.astype("float32")) * scale)


def _broadcast(part: Array, rank: int, axis: int) -> Array:
    if part.size == 1:
        return part.reshape(())
    place = normal_axis(axis, rank)
    return part.reshape([-1 if k == place else 1 for k in range(rank)]) if part.ndim == 1 else part


def _wide(node: Node, index: int) -> Any:
    """Quantised input `index` as float32, by the scale and zero point after it."""
    x, scale, zero = node.tensor(index), number(node, index + 1), number(node, index + 2)
    return node.emit(relax.op.dequantize(x, scale, zero, axis=0, out_dtype="float32"))


def _narrow(node: Node, product: Any) -> Any:
    """`product` in the result's scale (input 6) and zero point."""
    zero = number(node, 7) if node.has(7) else relax.const(0, dtype_of(node.tensor(0)))
    return relax.op.quantize(product, number(node, 6), zero, axis=0, out_dtype=dtype_of(zero))


def _with_bias(node: Node, sums: Any, bias: Any) -> Any:
    shape = [1, -1, *[1] * (len(shape_of(sums)) - 2)]
    return node.emit(relax.op.add(sums, node.emit(relax.op.reshape(bias, shape))))


def _centred(node: Node, index: int, zero: int, axis: int | None) -> Any:
    """Input `index` as int32 without its zero point, which may differ along `axis`."""
    value = cast(node, node.tensor(index), "int32")
    if not node.has(zero):
        return value
    point = cast(node, node.tensor(zero), "int32")
    if axis is not None:
        point = _along(node, point, shape_of(value), axis)
    elif shape_of(point):
        point = node.emit(relax.op.reshape(point, []))
    return node.emit(relax.op.subtract(value, point))


def _along(node: Node, value: Any, shape: list[Any], axis: int) -> Any:
    """A number, or a vector along `axis` of `shape`, so that it broadcasts."""
    sizes = shape_of(value)
    if not sizes or len(sizes) > 1:
        return value
    if sizes == [1]:
        return node.emit(relax.op.reshape(value, []))
    place = normal_axis(axis, len(shape))
    return node.emit(relax.op.reshape(value, [sizes[0] if k == place else 1 for k in range(len(shape))]))


def _requantized(node: Node, sums: Any, scales: list[Any]) -> Any:
    """Whole sums times the scales, over the result's (input 6) and with its zero point."""
    index = 6
    scales = [cast(node, scale, "float32") for scale in (*scales, number(node, index))]
    factor = node.emit(relax.op.divide(node.emit(relax.op.multiply(scales[0], scales[1])), scales[2]))
    value = node.emit(relax.op.multiply(cast(node, sums, "float32"), factor))
    to = dtype_of(node.tensor(index + 1)) if node.has(index + 1) else dtype_of(node.tensor(0))
    if node.has(index + 1):
        value = node.emit(relax.op.add(value, cast(node, number(node, index + 1), "float32")))
    return clipped(node, node.emit(relax.op.round(value)), to)


def number(node: Node, index: int) -> Any:
    """Input `index`; a vector of one becomes a number."""
    value = node.tensor(index)
    return node.emit(relax.op.reshape(value, [])) if shape_of(value) == [1] else value


def _flat(node: Node, index: int) -> Any:
    return cast(node, number(node, index), "float32")


CONVERTERS = {
    "QLinearConv": _linear_convolution,
    "QLinearMatMul": _linear_matmul,
    "ConvInteger": _conv_integer,
    "MatMulInteger": integer_product,
}
