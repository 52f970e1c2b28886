"""QuantizeLinear, DequantizeLinear, and the operators on quantised tensors.

TVM: knows neither blocks nor a precision, fails on the narrow types, and has no QLinearMatMul, QLinearConv
and ConvInteger.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from neo_magics.artifact.dtypes import carrier, is_narrow
from neo_magics.compiler.frontends.onnx_fixes.narrow import decoded, encoded, integer_range
from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, cast, dtype_of, normal_axis, shape_of
from neo_magics.compiler.frontends.onnx_graph import element_name

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
    return _clipped(node, whole, to)


def _dequantize(node: Node) -> Any:
    x, scale = node.tensor(0), node.tensor(1)
    source = node.input_types[0] or dtype_of(x)
    to = element_name(int(node.attribute("output_dtype", 0))) or dtype_of(scale)
    plain = source in (*_BYTES, "int32") and not node.attribute("block_size", 0) and to == dtype_of(scale)
    if plain and to == "float32":
        zero = node.tensor(2) if node.has(2) else relax.const(0, source)
        return relax.op.dequantize(x, scale, zero, axis=_axis(node), out_dtype=to)
    value = decoded(node, x, source, "float32") if is_narrow(source) else cast(node, x, "float32")
    if node.has(2) and "float" not in source:
        value = node.emit(relax.op.subtract(value, cast(node, _spread(node, node.tensor(2)), "float32")))
    value = node.emit(relax.op.multiply(value, cast(node, _spread(node, scale), "float32")))
    return cast(node, value, to)


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
    axis = _axis(node)
    if block:
        wide = node.emit(relax.op.repeat(value, block, axis))
        if shape_of(wide)[axis] == shape[axis]:
            return wide
        return node.emit(relax.op.strided_slice(wide, [axis], [0], [shape[axis]]))
    if sizes == [1]:
        return node.emit(relax.op.reshape(value, []))
    return node.emit(relax.op.reshape(value, [sizes[0] if k == axis else 1 for k in range(len(shape))]))


def _clipped(node: Node, value: Any, to: str) -> Any:
    low, high = integer_range(to)
    within = node.emit(relax.op.clip(value, low, high))
    return cast(node, cast(node, within, "int32"), carrier(to))


def _matmul(node: Node) -> Any:
    """QLinearMatMul (a, scale, zero, b, scale, zero, y scale, y zero): exact in whole numbers."""
    a, b = (_centred(node, k, k + 2, -2 if k == 0 else -1) for k in (0, 3))
    product = node.emit(relax.op.matmul(a, b, "int32"))
    scales = [_along(node, node.tensor(k), shape_of(product), -2 if k == 1 else -1) for k in (1, 4)]
    return _requantized(node, product, scales, 6)


def _convolution(node: Node) -> Any:
    """QLinearConv (x, scale, zero, w, scale, zero, y scale, y zero, bias)."""
    x, w = _centred(node, 0, 2, None), _centred(node, 3, 5, 0)
    sums = by_tvm(node, "Conv", [x, w])
    if node.has(8):
        shape = [1, -1, *[1] * (len(shape_of(sums)) - 2)]
        sums = node.emit(relax.op.add(sums, node.emit(relax.op.reshape(node.tensor(8), shape))))
    scales = [node.tensor(1), _along(node, node.tensor(4), shape_of(sums), 1)]
    return _requantized(node, sums, scales, 6)


def _conv_integer(node: Node) -> Any:
    """ConvInteger (x, w, x zero, w zero) → int32."""
    x, w = _centred(node, 0, 2, None), _centred(node, 1, 3, 0)
    return by_tvm(node, "Conv", [x, w])


def _matmul_integer(node: Node) -> Any:
    """MatMulInteger (a, b, a zero, b zero) → int32."""
    return relax.op.matmul(_centred(node, 0, 2, -2), _centred(node, 1, 3, -1), "int32")


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


def _requantized(node: Node, sums: Any, scales: list[Any], index: int) -> Any:
    """Whole sums times the scales, over the scale `index` and with the zero point after it."""
    scales = [cast(node, scale, "float32") for scale in (*scales, _number(node, index))]
    factor = node.emit(relax.op.divide(node.emit(relax.op.multiply(scales[0], scales[1])), scales[2]))
    value = node.emit(relax.op.multiply(cast(node, sums, "float32"), factor))
    to = dtype_of(node.tensor(index + 1)) if node.has(index + 1) else dtype_of(node.tensor(0))
    if node.has(index + 1):
        value = node.emit(relax.op.add(value, cast(node, _number(node, index + 1), "float32")))
    return _clipped(node, node.emit(relax.op.round(value)), to)


def _number(node: Node, index: int) -> Any:
    value = node.tensor(index)
    return node.emit(relax.op.reshape(value, [])) if shape_of(value) == [1] else value


CONVERTERS = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "QLinearMatMul": _matmul,
    "QLinearConv": _convolution,
    "ConvInteger": _conv_integer,
    "MatMulInteger": _matmul_integer,
}
