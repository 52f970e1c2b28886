"""Matrix products: TVM always computes float32, whatever the operands are."""

from __future__ import annotations

from typing import Any

from tvm import relax


def product(node: Any, importer: Any) -> Any:
    """aten.mm, bmm, matmul in the operands' own dtype. TVM: float64 loses digits, float16 breaks."""
    a, b = (importer.env[arg] for arg in node.args[:2])
    return importer.block_builder.emit(relax.op.matmul(a, b, _accumulate(a)))


def addmm(node: Any, importer: Any) -> Any:
    """aten.addmm: beta · input + alpha · (a @ b), in the operands' dtype."""
    emit = importer.block_builder.emit
    bias, a, b = (importer.env[arg] for arg in node.args[:3])
    alpha, beta = node.kwargs.get("alpha", 1), node.kwargs.get("beta", 1)
    dtype = str(a.ty.dtype)
    result = emit(relax.op.matmul(a, b, _accumulate(a)))
    if alpha != 1:
        result = emit(relax.op.multiply(result, relax.const(alpha, dtype)))
    if beta == 0:
        return result
    scaled = bias if beta == 1 else emit(relax.op.multiply(bias, relax.const(beta, dtype)))
    return emit(relax.op.add(result, scaled))


def linear(node: Any, importer: Any) -> Any:
    """aten.linear, where decomposition leaves it."""
    emit = importer.block_builder.emit
    x, weight = (importer.env[arg] for arg in node.args[:2])
    result = emit(relax.op.matmul(x, emit(relax.op.permute_dims(weight)), _accumulate(x)))
    bias = node.args[2] if len(node.args) > 2 else None
    return result if bias is None else emit(relax.op.add(result, importer.env[bias]))


def _accumulate(operand: Any) -> str:
    return str(operand.ty.dtype)


CONVERTERS = {
    "mm.default": product,
    "bmm.default": product,
    "matmul.default": product,
    "addmm.default": addmm,
    "linear.default": linear,
}
