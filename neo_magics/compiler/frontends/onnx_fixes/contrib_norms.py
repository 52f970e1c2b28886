"""Normalisations with what comes before them, as ONNX Runtime's optimiser fuses them (com.microsoft).

TVM: knows them under no domain; its converters need a bias and return zeros for the further outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, cast, constant, dtype_of, shape_of


def _skip(normalise: Callable[[Node, Any], Any], bias: int) -> Callable[[Node], Any]:
    """(x, skip, gamma, …, bias) → the normalised sum, and the sum itself as the fourth output."""

    def convert(node: Node) -> Any:
        _only(node, (0, 3))
        total = node.emit(relax.op.add(node.tensor(0), node.tensor(1)))
        if node.has(bias):
            total = node.emit(relax.op.add(total, node.tensor(bias)))
        result = node.emit(normalise(node, total))
        return relax.Tuple([result, result, result, total])  # those between are not in use

    return convert


def _layer_norm(node: Node, total: Any) -> Any:
    return _layer(node, total, node.tensor(2), node.tensor(3) if node.has(3) else None)


def _layer(node: Node, x: Any, gamma: Any, beta: Any) -> Any:
    if beta is None:
        beta = constant(np.zeros(shape_of(gamma), dtype_of(gamma)))
    return relax.op.nn.layer_norm(x, gamma, beta, axes=-1, epsilon=float(node.attribute("epsilon", 1e-12)))


def _rms_norm(node: Node, total: Any) -> Any:
    epsilon = float(node.attribute("epsilon", 1e-12))
    return by_tvm(node, "RMSNormalization", [total, node.tensor(2)], {"axis": -1, "epsilon": epsilon}, 23)


def _simplified(node: Node) -> Any:
    """(x, scale): standard ONNX has it as RMSNormalization since opset 23."""
    _only(node, (0,))
    attributes = {"axis": node.attribute("axis", -1), "epsilon": float(node.attribute("epsilon", 1e-5))}
    return by_tvm(node, "RMSNormalization", [node.tensor(0), node.tensor(1)], attributes, 23)


def _embed(node: Node) -> Any:
    """(ids, segments, word, position and segment tables, gamma, beta, mask, position ids) → the normalised
    sum, how many of each row's tokens the mask leaves, and the sum."""
    ids = node.tensor(0)
    rows, length = shape_of(ids)
    places = node.tensor(8) if node.has(8) else constant(np.arange(length, dtype="int64")[None])
    total = node.emit(relax.op.add(_rows(node, 2, ids), _rows(node, 3, places)))
    if node.has(1) and node.has(4):
        total = node.emit(relax.op.add(total, _rows(node, 4, node.tensor(1))))
    result = node.emit(_layer(node, total, node.tensor(5), node.tensor(6)))
    if node.has(7):
        counts = node.emit(relax.op.sum(cast(node, node.tensor(7), "int32"), [1]))
    else:
        counts = node.emit(relax.op.zeros(relax.ShapeExpr([rows]), "int32"))
    return relax.Tuple([result, counts, total])


def _rows(node: Node, table: int, indices: Any) -> Any:
    return node.emit(relax.op.take(node.tensor(table), cast(node, indices, "int64"), axis=0))


def _only(node: Node, allowed: tuple[int, ...]) -> None:
    for index in range(len(node.outputs)):
        if node.uses(index) and index not in allowed:
            raise node.unsupported("with its mean or deviation as outputs")


CONVERTERS = {
    "com.microsoft.SkipLayerNormalization": _skip(_layer_norm, 4),
    "com.microsoft.SkipSimplifiedLayerNormalization": _skip(_rms_norm, 3),
    "com.microsoft.EmbedLayerNormalization": _embed,
    "SimplifiedLayerNormalization": _simplified,
}
