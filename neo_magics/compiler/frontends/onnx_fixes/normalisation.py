"""Normalisations and dropout: the forms that TVM refuses, or whose further outputs it gets wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, cast, dtype_of, normal_axis, shape_of


def _lp(node: Node) -> Any:
    """LpNormalization, which TVM does not have. Where the norm is 0, so is the result."""
    x, axis = node.tensor(0), [int(node.attribute("axis", -1))]
    if int(node.attribute("p", 2)) == 1:
        norm = node.emit(relax.op.sum(node.emit(relax.op.abs(x)), axis, keepdims=True))
    else:
        squares = node.emit(relax.op.multiply(x, x))
        norm = node.emit(relax.op.sqrt(node.emit(relax.op.sum(squares, axis, keepdims=True))))
    zero, one = (relax.const(value, dtype_of(x)) for value in (0, 1))
    empty = node.emit(relax.op.equal(norm, zero))
    return relax.op.divide(x, node.emit(relax.op.where(empty, one, norm)))


def _batch_norm(node: Node) -> Any:
    """TVM: in training mode it normalises with the stored mean and variance."""
    if not node.attribute("training_mode", 0) and not any(node.outputs[1:]):
        return None
    if node.opset < 14:
        raise node.unsupported("in the training mode of that opset")
    x = node.tensor(0)
    rank, dtype = len(shape_of(x)), dtype_of(x)
    axes = [axis for axis in range(rank) if axis != 1]
    mean = node.emit(relax.op.mean(x, axes))
    centred = node.emit(relax.op.subtract(x, _rows(node, mean, rank)))
    variance = node.emit(relax.op.mean(node.emit(relax.op.multiply(centred, centred)), axes))
    epsilon = relax.const(float(node.attribute("epsilon", 1e-5)), dtype)
    deviation = node.emit(relax.op.sqrt(node.emit(relax.op.add(variance, epsilon))))
    factor = node.emit(relax.op.divide(cast(node, node.tensor(1), dtype), deviation))
    scaled = node.emit(relax.op.multiply(centred, _rows(node, factor, rank)))
    y = node.emit(relax.op.add(scaled, _rows(node, cast(node, node.tensor(2), dtype), rank)))
    momentum = float(node.attribute("momentum", 0.9))
    return relax.Tuple([y, *(_mixed(node, k, v, momentum) for k, v in ((3, mean), (4, variance)))])


def _mixed(node: Node, index: int, found: Any, momentum: float) -> Any:
    """The running value of input `index`, of which (1 - momentum) is new."""
    old = node.tensor(index)
    dtype = dtype_of(old)
    kept = node.emit(relax.op.multiply(old, relax.const(momentum, dtype)))
    new = node.emit(relax.op.multiply(cast(node, found, dtype), relax.const(1 - momentum, dtype)))
    return node.emit(relax.op.add(kept, new))


def _rows(node: Node, vector: Any, rank: int) -> Any:
    return node.emit(relax.op.reshape(vector, [1, -1, *[1] * (rank - 2)]))


def _dropout(node: Node) -> Any:
    """TVM: forgets that training drops elements, and returns a mask of floats."""
    training = node.constant(2) if node.has(2) else np.array(False)
    ratio = node.constant(1) if node.has(1) else np.array(0.5)
    drops = training is None or bool(training.item())
    if drops and (ratio is None or float(ratio.item()) != 0):
        raise node.unsupported("in training mode, in which its results are random")
    x = node.tensor(0)
    shape = relax.ShapeExpr(shape_of(x))
    dtype = "bool" if node.opset >= 10 else dtype_of(x)
    return relax.Tuple([x, node.emit(relax.op.ones(shape, dtype))])


def _rms(node: Node) -> Any:
    """TVM: fails where every axis is normalised; a first one of size 1 keeps it from that."""
    x = node.tensor(0)
    if normal_axis(int(node.attribute("axis", -1)), len(shape_of(x))) != 0:
        return None
    last = {**node.attributes, "axis": 1}
    row = node.emit(relax.op.expand_dims(x, [0]))
    return relax.op.squeeze(node.emit(by_tvm(node, node.operator, [row, node.tensor(1)], last)), [0])


CONVERTERS = {
    "RMSNormalization": _rms,
    "LpNormalization": _lp,
    "BatchNormalization": _batch_norm,
    "Dropout": _dropout,
}
