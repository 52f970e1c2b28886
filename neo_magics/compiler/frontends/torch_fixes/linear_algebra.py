"""Inverses, determinants and systems of linear equations, which TVM does not have."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.kernels.determinant import determinant
from neo_magics.compiler.kernels.solve import solve


def inverse(node: Any, importer: Any) -> Any:
    """aten.linalg_inv_ex; where PyTorch raises an error (a singular matrix) infinity or NaN."""
    a = importer.env[node.args[0]]
    outer, size = _sizes(importer, a)
    dtype = str(a.ty.dtype)
    unit = np.ascontiguousarray(np.broadcast_to(np.eye(size, dtype=dtype), [*outer, size, size]))
    return _with_info(importer, _solved(importer, a, relax.const(unit, dtype), size))


def solution(node: Any, importer: Any) -> Any:
    """aten._linalg_solve_ex, of which only the solution is read."""
    a, b = (importer.env[arg] for arg in node.args[:2])
    if not node.kwargs.get("left", True):
        raise NotImplementedError("from the left side only")
    vector = len(importer.shape_of(b)) == len(importer.shape_of(a)) - 1
    emit = importer.block_builder.emit
    columns = emit(relax.op.expand_dims(b, -1)) if vector else b
    found = _solved(importer, a, columns, 1 if vector else _known(importer, b)[-1])
    return _with_info(importer, emit(relax.op.squeeze(found, [-1])) if vector else found)


def product_of_pivots(node: Any, importer: Any) -> Any:
    """aten._linalg_det, of which only the determinant is read."""
    a = importer.env[node.args[0]]
    outer, size = _sizes(importer, a)
    builder, dtype, batch = importer.block_builder, str(a.ty.dtype), math.prod(outer)
    kernel = builder.add_func(determinant(batch, size, dtype), "determinant")
    matrices = builder.emit(relax.op.reshape(a, [batch, size, size]))
    found = builder.emit(relax.call_tir(kernel, [matrices], relax.TensorType([batch], dtype)))
    return _with_info(importer, builder.emit(relax.op.reshape(found, outer)))


def _solved(importer: Any, a: Any, b: Any, columns: int) -> Any:
    outer, size = _sizes(importer, a)
    builder, dtype, batch = importer.block_builder, str(a.ty.dtype), math.prod(outer)
    if [int(each) for each in b.ty.shape.values][:-1] != [*outer, size]:
        raise NotImplementedError("of right sides of other batches than the matrices")
    kernel = builder.add_func(solve(batch, size, columns, dtype), "solve")
    operands = [builder.emit(relax.op.reshape(x, [batch, size, n])) for x, n in ((a, size), (b, columns))]
    shape = relax.TensorType([batch, size, columns], dtype)
    found = builder.emit(relax.call_tir(kernel, operands, shape))
    return builder.emit(relax.op.reshape(found, [*outer, size, columns]))


def _sizes(importer: Any, a: Any) -> tuple[list[int], int]:
    *outer, size, _columns = _known(importer, a)
    return outer, size


def _known(importer: Any, x: Any) -> list[int]:
    shape = list(importer.shape_of(x))
    if not all(hasattr(each, "value") for each in shape):
        raise NotImplementedError("of a free size")
    return [int(each) for each in shape]


def _with_info(importer: Any, result: Any) -> Any:
    """PyTorch's further results (how it went, the factors) are not there: 0 stands for them."""
    info = importer.block_builder.emit(relax.op.zeros(relax.ShapeExpr([1]), "int32"))
    return importer.block_builder.emit(relax.Tuple([result, info, info, info]))


CONVERTERS = {
    "linalg_inv_ex.default": inverse,
    "_linalg_solve_ex.default": solution,
    "_linalg_det.default": product_of_pivots,
}
