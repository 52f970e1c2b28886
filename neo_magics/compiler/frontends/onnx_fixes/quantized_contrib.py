"""The operators on bytes that ONNX Runtime's quantisation writes beside the standard ones (com.microsoft).

Each is the float operator between DequantizeLinear and QuantizeLinear. TVM has none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.activations import activation
from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, cast, dtype_of, shape_of
from neo_magics.compiler.frontends.onnx_fixes.quantized_products import number


def _binary(operator: Callable[..., Any]) -> Callable[[Node], Any]:
    """(a, scale, zero, b, scale, zero, y scale, y zero)."""
    return lambda node: _narrow(node, operator(_wide(node, 0), _wide(node, 3)), 6)


def _unary(compute: Callable[[Node, Any], Any]) -> Callable[[Node], Any]:
    """(x, scale, zero, y scale, y zero)."""
    return lambda node: _narrow(node, compute(node, _wide(node, 0)), 3)


def _concat(node: Node) -> Any:
    """(y scale, y zero, then x, scale, zero of each)."""
    parts = [_wide(node, k) for k in range(2, len(node.inputs), 3)]
    return _narrow(node, relax.op.concat(parts, axis=int(node.attributes["axis"])), 0)


def _gemm(node: Node) -> Any:
    """QGemm (a, scale, zero, b, scale, zero, bias, y scale, y zero); without y scale, to float32."""
    a, b = _wide(node, 0), _wide(node, 3, axis=0 if node.attribute("transB", 0) else 1)
    a = node.emit(relax.op.permute_dims(a)) if node.attribute("transA", 0) else a
    b = node.emit(relax.op.permute_dims(b)) if node.attribute("transB", 0) else b
    product = node.emit(relax.op.matmul(a, b))
    factor = relax.const(float(node.attribute("alpha", 1.0)), "float32")
    if node.has(6):
        scales = node.emit(relax.op.multiply(number(node, 1), number(node, 4)))
        bias = node.emit(relax.op.multiply(cast(node, node.tensor(6), "float32"), scales))
        product = node.emit(relax.op.add(product, bias))
    product = node.emit(relax.op.multiply(product, factor))
    return _narrow(node, product, 7) if node.has(7) else product


def _pooled(node: Node, x: Any) -> Any:
    if node.attribute("channels_last", 0):
        raise node.unsupported("with the channels last")
    if node.operator.endswith("GlobalAveragePool"):
        return relax.op.mean(x, list(range(2, len(shape_of(x)))), keepdims=True)
    return by_tvm(node, "AveragePool", [x])


def _wide(node: Node, index: int, axis: int = 0) -> Any:
    x = node.tensor(index)
    zero = number(node, index + 2) if node.has(index + 2) else relax.const(0, dtype_of(x))
    return node.emit(relax.op.dequantize(x, number(node, index + 1), zero, axis=axis, out_dtype="float32"))


def _narrow(node: Node, result: Any, index: int) -> Any:
    """`result` by the scale `index` and the zero point after it."""
    data = next(k for k in range(len(node.inputs)) if k not in (index, index + 1))
    zero = number(node, index + 1) if node.has(index + 1) else relax.const(0, dtype_of(node.tensor(data)))
    wide = node.emit(result)
    return relax.op.quantize(wide, number(node, index), zero, axis=0, out_dtype=dtype_of(zero))


CONVERTERS = {
    f"com.microsoft.{name}": convert
    for name, convert in {
        "QLinearAdd": _binary(relax.op.add),
        "QLinearMul": _binary(relax.op.multiply),
        "QLinearSigmoid": _unary(lambda _node, x: relax.op.sigmoid(x)),
        "QLinearLeakyRelu": _unary(
            lambda node, x: activation(node, "leakyrelu", x, float(node.attribute("alpha", 0.01)))
        ),
        "QLinearSoftmax": _unary(lambda node, x: relax.op.nn.softmax(x, int(node.attribute("axis", -1)))),
        "QLinearAveragePool": _unary(_pooled),
        "QLinearGlobalAveragePool": _unary(_pooled),
        "QLinearConcat": _concat,
        "QGemm": _gemm,
    }.items()
}
