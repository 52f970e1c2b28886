"""Operators whose results are as many as the data decide: their size becomes a free dimension.

TVM: NonZero and Unique are Python functions, which no device has; Compress loses its shape;
NonMaxSuppression finds no boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)
from neo_magics.compiler.kernels import selection
from neo_magics.compiler.kernels.boxes import suppression


def _nonzero(node: Node) -> Any:
    x = node.tensor(0)
    shape = _known_shape(node, x)
    places = _true_places(node, _as_mask(node, x), "nonzero")
    rows = []
    for axis, size in enumerate(shape):
        below = relax.const(int(np.prod(shape[axis + 1 :])), "int64")
        row = node.emit(relax.op.floor_divide(places, below))
        rows.append(node.emit(relax.op.floor_mod(row, relax.const(size, "int64"))) if axis else row)
    if not rows:
        raise node.unsupported("of a number")
    return relax.op.stack(rows, 0)


def _compress(node: Node) -> Any:
    x, condition = node.tensor(0), node.tensor(1)
    if "axis" in node.attributes:
        axis = normal_axis(int(node.attributes["axis"]), len(shape_of(x)))
    else:
        x, axis = node.emit(relax.op.reshape(x, [-1])), 0
    return relax.op.take(x, _true_places(node, condition, "compressed"), axis, mode="clip")


def _unique(node: Node) -> Any:
    """(values, where each is first, the number of each element's value, how often each is there)."""
    x = node.tensor(0)
    rows, shape = x, _known_shape(node, x)
    axis = normal_axis(int(node.attributes["axis"]), len(shape)) if "axis" in node.attributes else None
    order_of = [k for k in range(len(shape)) if k != axis]
    if axis is not None:
        order_of.insert(0, axis)
        rows = node.emit(relax.op.permute_dims(x, order_of))
    count = shape[axis] if axis is not None else int(np.prod(shape))
    width = int(np.prod(shape)) // max(1, count)
    table = node.emit(relax.op.reshape(rows, [count, width]))
    dtype = dtype_of(x)
    if axis is None:
        flat = node.emit(relax.op.reshape(x, [-1]))
        keys = cast(node, flat, "float32") if "float16" in dtype else flat  # TVM sorts no floats of 16 bits
        order = node.emit(relax.op.argsort(keys, 0, dtype="int64"))
    else:
        order = _call(node, selection.row_order(count, width, dtype), [table], [([count], "int64")])
    kernel = selection.distinct(count, width, dtype, by_value=bool(node.attribute("sorted", 1)))
    results = [([count], "int64")] * 3 + [([1], "int64")]
    made = _call(node, kernel, [table, order], results)
    first, inverse, counts, number = (node.emit(relax.TupleGetItem(made, k)) for k in range(4))
    size = _size(node, number, "unique")
    first, counts = (_front(node, each, size) for each in (first, counts))
    values = node.emit(relax.op.take(table, first, 0, mode="clip"))
    if axis is None:
        values = node.emit(relax.op.reshape(values, [size]))
    else:
        moved = node.emit(relax.op.reshape(values, [size, *(shape[k] for k in order_of[1:])]))
        values = node.emit(relax.op.permute_dims(moved, [order_of.index(k) for k in range(len(shape))]))
    return relax.Tuple([values, first, inverse, counts])


def _suppression(node: Node) -> Any:
    """NonMaxSuppression; the most boxes of a class have to be known."""
    boxes, scores = (cast(node, node.tensor(k), "float32") for k in (0, 1))
    batch, size, _four = _known_shape(node, boxes)
    classes = _known_shape(node, scores)[1]
    given = int(node.known(2, "a number of boxes")[0]) if node.has(2) else 0
    most = min(max(0, given), size)
    if most == 0:
        return relax.op.zeros(relax.ShapeExpr([0, 3]), "int64")
    overlap, least = (_threshold(node, k, default) for k, default in ((3, 0.0), (4, -np.inf)))
    centred = bool(node.attribute("center_point_box", 0))
    kernel = suppression(batch, classes, size, most, centred=centred)
    results = [([batch * classes * most, 3], "int64"), ([1], "int64")]
    made = _call(node, kernel, [boxes, scores, overlap, least], results)
    kept, count = (node.emit(relax.TupleGetItem(made, k)) for k in range(2))
    return _front(node, kept, _size(node, count, "boxes"))


def _threshold(node: Node, index: int, default: float) -> Any:
    if not node.has(index):
        return constant(np.array([default], "float32"))
    return node.emit(relax.op.reshape(cast(node, node.tensor(index), "float32"), [1]))


def _as_mask(node: Node, x: Any) -> Any:
    flat = node.emit(relax.op.reshape(x, [-1]))
    if dtype_of(x) == "bool":
        return flat
    return node.emit(relax.op.not_equal(flat, relax.const(0, dtype_of(x))))


def _true_places(node: Node, mask: Any, name: str) -> Any:
    """Where `mask` (one axis) is true."""
    (size,) = _known_shape(node, mask)
    made = _call(node, selection.where_true(size), [mask], [([size], "int64"), ([1], "int64")])
    places, count = (node.emit(relax.TupleGetItem(made, k)) for k in range(2))
    return _front(node, places, _size(node, count, name))


def _call(node: Node, kernel: Any, arguments: Sequence[Any], results: Sequence[tuple[list[int], str]]) -> Any:
    function = node.builder.add_func(kernel, "selection")
    types = [relax.TensorType(shape, dtype) for shape, dtype in results]
    return node.emit(relax.call_tir(function, list(arguments), types if len(types) > 1 else types[0]))


def _size(node: Node, count: Any, name: str) -> Any:
    """The number in `count` [1] as a free dimension."""
    shape = node.emit(relax.op.tensor_to_shape(count))
    size = tvm.tirx.Var(f"{name}_size", "int64")
    node.builder.match_cast(shape, relax.ShapeType([size]))
    return size


def _front(node: Node, tensor: Any, size: Any) -> Any:
    """The first `size` elements or rows of `tensor`."""
    most, *inner = _known_shape(node, tensor)
    width = int(np.prod(inner))
    function = node.builder.add_func(selection.front(most, width, dtype_of(tensor)), "front")
    table = node.emit(relax.op.reshape(tensor, [most, width]))
    rows = node.emit(relax.call_tir(function, [table], relax.TensorType([size, width], dtype_of(tensor))))
    return node.emit(relax.op.reshape(rows, [size, *inner]))


def _known_shape(node: Node, tensor: Any) -> list[int]:
    shape = shape_of(tensor)
    if not all(isinstance(size, int) for size in shape):
        raise node.unsupported("of a tensor with a free dimension")
    return shape


CONVERTERS = {
    "Compress": _compress,
    "NonMaxSuppression": _suppression,
    "NonZero": _nonzero,
    "Unique": _unique,
}
