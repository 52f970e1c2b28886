"""Products whose weights are bytes or less, of ONNX Runtime (com.microsoft); the result is float.

TVM: has none of them. Formulas: ONNX Runtime's ContribOperators.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, cast, constant, dtype_of
from neo_magics.compiler.frontends.onnx_fixes.quantized_products import integer_product

Array = np.ndarray[Any, Any]


def _blocks(node: Node) -> Any:
    """MatMulNBits (x, packed weight, scales, zero points, groups, bias): the weights are known, and widened
    to floats now."""
    bits, block, k = (int(node.attribute(name, 4)) for name in ("bits", "block_size", "K"))
    packed, scales = node.constant(1), node.constant(2)
    if bits not in (2, 4, 8) or packed is None or scales is None or node.has(4):
        raise node.unsupported("with weights in that form")
    rows = int(node.attributes["N"])
    count = -(-k // block)
    codes = _unpacked(packed.reshape(rows, count, -1), bits).astype("float32")
    zeros: Any = 2 ** (bits - 1)
    if node.has(3):
        zeros = _zeros(node, rows, count, bits)
    wide = (codes - zeros) * scales.reshape(rows, count, 1).astype("float32")
    weight = np.ascontiguousarray(wide.reshape(rows, -1)[:, :k].T)
    product = relax.op.matmul(node.tensor(0), constant(weight.astype(dtype_of(node.tensor(0)))))
    return relax.op.add(node.emit(product), node.tensor(5)) if node.has(5) else product


def _zeros(node: Node, rows: int, count: int, bits: int) -> Array:
    given = node.constant(3)
    if given is None:
        raise node.unsupported("with weights in that form")
    if given.dtype == np.uint8:
        given = _unpacked(given.reshape(rows, -1), bits)[:, :count]
    return given.reshape(rows, count, 1).astype("float32")


def _unpacked(packed: Array, bits: int) -> Array:
    """Codes of `bits` from bytes, the lowest bits first, along the last axis."""
    shifts = np.arange(0, 8, bits, dtype="uint8")
    codes = (packed[..., None] >> shifts) & np.uint8(2**bits - 1)
    return np.asarray(codes.reshape(*packed.shape[:-1], -1))


def _integer_to_float(node: Node) -> Any:
    """MatMulIntegerToFloat (a, b, a scale, b scale, a zero, b zero, bias)."""
    operands = [node.inputs[k] if node.has(k) else None for k in (0, 1, 4, 5)]
    return _scaled(node, operands, (node.tensor(2), node.tensor(3)), 6)


def _dynamic(node: Node) -> Any:
    """DynamicQuantizeMatMul (a, b, b scale, b zero, bias): `a` goes to bytes by its own range."""
    parts = node.emit(by_tvm(node, "DynamicQuantizeLinear", [node.tensor(0)], {}))
    a, scale, zero = (node.emit(relax.TupleGetItem(parts, k)) for k in range(3))
    operands = [a, node.inputs[1], zero, node.inputs[3] if node.has(3) else None]
    return _scaled(node, operands, (scale, node.tensor(2)), 4)


def _scaled(node: Node, operands: list[Any], scales: tuple[Any, Any], bias: int) -> Any:
    sums = node.emit(integer_product(replace(node, inputs=operands)))
    factor = node.emit(relax.op.multiply(*(cast(node, scale, "float32") for scale in scales)))
    result = relax.op.multiply(cast(node, sums, "float32"), factor)
    return relax.op.add(node.emit(result), node.tensor(bias)) if node.has(bias) else result


CONVERTERS = {
    "com.microsoft.MatMulNBits": _blocks,
    "com.microsoft.MatMulIntegerToFloat": _integer_to_float,
    "com.microsoft.DynamicQuantizeMatMul": _dynamic,
}
