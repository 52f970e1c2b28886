"""The activations that ONNX Runtime's optimiser fuses (com.microsoft), which TVM knows under no domain.

Formulas: ONNX Runtime's ContribOperators.md.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, dtype_of


def _biased(node: Node) -> Any:
    """The first input, and the second one added where it is given."""
    x = node.tensor(0)
    return node.emit(relax.op.add(x, node.tensor(1))) if node.has(1) else x


def _gelu(node: Node) -> Any:
    return relax.op.nn.gelu(_biased(node))


def _fast_gelu(node: Node) -> Any:
    return relax.op.nn.gelu_tanh(_biased(node))


def _quick_gelu(node: Node) -> Any:
    """x · sigmoid(alpha · x)."""
    x = node.tensor(0)
    scaled = node.emit(relax.op.multiply(x, relax.const(float(node.attribute("alpha", 1.702)), dtype_of(x))))
    return relax.op.multiply(x, node.emit(relax.op.sigmoid(scaled)))


CONVERTERS = {
    "com.microsoft.Gelu": _gelu,
    "com.microsoft.BiasGelu": _gelu,
    "com.microsoft.FastGelu": _fast_gelu,
    "com.microsoft.QuickGelu": _quick_gelu,
}
