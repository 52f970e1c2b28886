"""Products with what comes after them, as ONNX Runtime's optimiser fuses them (com.microsoft).

TVM: has none of them. Formulas: ONNX Runtime's ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.activations import activation
from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, dtype_of, shape_of


def _matmul(node: Node) -> Any:
    """alpha · A' B', where a' may swap the last two axes, or take the first one to their left (batch)."""
    a, b = (_turned(node, index, name) for index, name in enumerate("AB"))
    product = node.emit(relax.op.matmul(a, b))
    alpha = float(node.attribute("alpha", 1.0))
    return product if alpha == 1 else relax.op.multiply(product, relax.const(alpha, dtype_of(product)))


def _turned(node: Node, index: int, name: str) -> Any:
    value = node.tensor(index)
    axes = list(range(len(shape_of(value))))
    if node.attribute(f"transBatch{name}", 0):
        axes = [*axes[1:-1], 0, axes[-1]]
    if node.attribute(f"trans{name}", 0) and len(axes) > 1:
        axes = [*axes[:-2], axes[-1], axes[-2]]
    return value if axes == sorted(axes) else node.emit(relax.op.permute_dims(value, axes))


def _gemm(node: Node) -> Any:
    names = ("transA", "transB", "alpha", "beta")
    attributes = {name: node.attributes[name] for name in names if name in node.attributes}
    operands = [node.tensor(k) if node.has(k) else None for k in range(3)]
    factors = [node.attributes.get(f"activation_{name}") for name in ("alpha", "beta")]
    return _activated(node, node.emit(by_tvm(node, "Gemm", operands, attributes, 13)), factors)


def _convolution(node: Node) -> Any:
    """(x, w, bias, z): the activation of conv(x) + z."""
    own = ("activation", "activation_params")
    attributes = {name: value for name, value in node.attributes.items() if name not in own}
    operands = [node.tensor(k) if node.has(k) else None for k in range(3)]
    result = node.emit(by_tvm(node, "Conv", operands, attributes, 11))
    if node.has(3):
        result = node.emit(relax.op.add(result, node.tensor(3)))
    return _activated(node, result, node.attribute("activation_params", ()))


def _activated(node: Node, result: Any, factors: Sequence[float | None]) -> Any:
    name = str(node.attribute("activation", "")).lower()
    if not name:
        return result
    if name == "clip":
        low, high = factors
        return relax.op.clip(result, low, high)
    return activation(node, name, result, *factors)


CONVERTERS = {
    "com.microsoft.FusedMatMul": _matmul,
    "com.microsoft.TransposeMatMul": _matmul,
    "com.microsoft.FusedGemm": _gemm,
    "com.microsoft.FusedConv": _convolution,
}
