"""CumProd, which TVM does not have."""

from __future__ import annotations

from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, normal_axis, shape_of


def _product(node: Node) -> Any:
    x = node.tensor(0)
    axis = normal_axis(int(node.known(1, "an axis")[0]), len(shape_of(x)))
    backwards = bool(node.attribute("reverse", 0))
    x = node.emit(relax.op.flip(x, axis)) if backwards else x
    result = node.emit(relax.op.cumprod(x, axis, exclusive=bool(node.attribute("exclusive", 0))))
    return node.emit(relax.op.flip(result, axis)) if backwards else result


CONVERTERS = {"CumProd": _product}
