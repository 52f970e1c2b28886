"""Attention as ONNX Runtime's transformer optimiser fuses it (com.microsoft).

TVM: converts one of the two forms under no domain, without its masks. Sources: ONNX Runtime's
ContribOperators.md and its CPU kernels: what a mask hides gets `mask_filter_value` added, what lies ahead the
least float.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, cast, constant, dtype_of, shape_of


@dataclass(frozen=True)
class _Parts:
    """Query, key and value (batch, length, heads · size); the inputs of a mask and of a bias, -1 for none."""

    query: Any
    key: Any
    value: Any
    mask: int
    bias: int


def _attention(node: Node) -> Any:
    """Attention (x, weight, bias, mask, past, attention bias): one product makes query, key and value."""
    _refuse(node, {4: "with a past", 6: "with a past"})
    if node.attribute("do_rotary", 0):
        raise node.unsupported("with rotary embeddings inside")
    merged = node.emit(relax.op.matmul(node.tensor(0), node.tensor(1)))
    if node.has(2):
        merged = node.emit(relax.op.add(merged, node.tensor(2)))
    width = shape_of(merged)[-1]
    sizes = node.attribute("qkv_hidden_sizes", [width // 3] * 3)
    query, key, value = _cut(node, merged, sizes)
    return _attended(node, _Parts(query, key, value, mask=3, bias=5))


def _multi_head(node: Node) -> Any:
    """MultiHeadAttention (query, key, value, bias, mask, attention bias): three separate inputs."""
    _refuse(node, dict.fromkeys((6, 7, 8, 9), "with a past"))
    if not (node.has(1) and node.has(2)) or any(len(shape_of(node.tensor(k))) != 3 for k in range(3)):
        raise node.unsupported("with packed or four-dimensional operands")
    operands = [node.tensor(k) for k in range(3)]
    if node.has(3):
        biases = _cut(node, node.tensor(3), [shape_of(operand)[-1] for operand in operands])
        operands = [node.emit(relax.op.add(x, b)) for x, b in zip(operands, biases, strict=True)]
    query, key, value = operands
    return _attended(node, _Parts(query, key, value, mask=4, bias=5))


def _refuse(node: Node, inputs: dict[int, str]) -> None:
    for index, why in inputs.items():
        if node.has(index):
            raise node.unsupported(why)
    if any(node.uses(index) for index in range(1, len(node.outputs))):
        raise node.unsupported("with more than one output")


def _cut(node: Node, merged: Any, sizes: list[int]) -> list[Any]:
    """`merged` cut along its last axis."""
    axis, edges = len(shape_of(merged)) - 1, np.cumsum([0, *sizes]).tolist()
    return [
        node.emit(relax.op.strided_slice(merged, [axis], [begin], [end])) for begin, end in pairwise(edges)
    ]


def _attended(node: Node, parts: _Parts) -> Any:
    query, key, value = (_heads(node, part) for part in (parts.query, parts.key, parts.value))
    batch, heads, length, size = shape_of(query)
    total, dtype = shape_of(key)[2], dtype_of(query)
    scale = float(node.attribute("scale", 0.0)) or 1 / math.sqrt(size)
    turned = node.emit(relax.op.permute_dims(key, [0, 1, 3, 2]))
    scores = node.emit(relax.op.matmul(query, turned))
    scores = node.emit(relax.op.multiply(scores, relax.const(scale, dtype)))
    if node.has(parts.mask):
        scores = node.emit(relax.op.add(scores, _hidden(node, parts.mask, total, dtype)))
    if node.has(parts.bias):
        scores = node.emit(relax.op.add(scores, node.tensor(parts.bias)))
    if node.attribute("unidirectional", 0):
        scores = node.emit(relax.op.where(_behind(node, length, total), scores, _least(dtype)))
    weights = node.emit(relax.op.nn.softmax(scores, -1))
    mixed = node.emit(relax.op.permute_dims(node.emit(relax.op.matmul(weights, value)), [0, 2, 1, 3]))
    return relax.op.reshape(mixed, relax.ShapeExpr([batch, length, heads * shape_of(value)[3]]))


def _heads(node: Node, x: Any) -> Any:
    """(batch, length, heads · size) → (batch, heads, length, size)."""
    heads = int(node.attributes["num_heads"])
    batch, length, width = shape_of(x)
    split = node.emit(relax.op.reshape(x, relax.ShapeExpr([batch, length, heads, width // heads])))
    return node.emit(relax.op.permute_dims(split, [0, 2, 1, 3]))


def _hidden(node: Node, index: int, total: Any, dtype: str) -> Any:
    """What the mask adds to the scores: how many keys a row has, 1 for each key that counts, or the same for
    each query."""
    mask = cast(node, node.tensor(index), "int32")
    rank = len(shape_of(mask))
    if rank == 1:
        if not isinstance(total, int) or str(shape_of(mask)[0]) != str(shape_of(node.tensor(0))[0]):
            raise node.unsupported("with that form of a mask")
        places = constant(np.arange(total, dtype="int32")[None])
        seen = node.emit(relax.op.less(places, node.emit(relax.op.expand_dims(mask, [1]))))
    elif rank in (2, 3):
        seen = node.emit(relax.op.greater(mask, relax.const(0, "int32")))
    else:
        raise node.unsupported("with that form of a mask")
    seen = node.emit(relax.op.expand_dims(seen, [1] if rank == 3 else [1, 2]))
    value = float(node.attribute("mask_filter_value", -10000.0))
    return node.emit(relax.op.where(seen, relax.const(0.0, dtype), relax.const(value, dtype)))


def _behind(node: Node, length: Any, total: Any) -> Any:
    if not (isinstance(length, int) and isinstance(total, int)):
        raise node.unsupported("in one direction, with a free length")
    return constant(np.tril(np.ones((length, total), bool), total - length))


def _least(dtype: str) -> Any:
    return relax.const(float(np.finfo(dtype).min), dtype)


CONVERTERS = {
    "com.microsoft.Attention": _attention,
    "com.microsoft.MultiHeadAttention": _multi_head,
}
