"""Operators that pick, place and pad elements."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax, te
from tvm.tirx import if_then_else

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)
from neo_magics.compiler.frontends.onnx_graph import element_name


def _eye_like(node: Node) -> Any:
    """TVM: refuses a dtype that is not the input's."""
    x = node.tensor(0)
    dtype = element_name(int(node.attribute("dtype", 0))) or dtype_of(x)
    rows, columns = shape_of(x)
    if not (isinstance(rows, int) and isinstance(columns, int)):
        raise node.unsupported("with a free size")
    return constant(np.eye(rows, columns, int(node.attribute("k", 0)), dtype))


def _gather(node: Node) -> Any:
    """TVM: makes a tensor of several sizes that are picked from a shape, and of which no shape can be made.

    ONNX Runtime writes that for the shape of something transposed.
    """
    sizes, places = node.inputs[0], node.constant(1)
    if not isinstance(sizes, relax.ShapeExpr) or places is None or places.ndim != 1:
        return None
    return relax.ShapeExpr([list(sizes.values)[int(place)] for place in places])


def _one_hot(node: Node) -> Any:
    """TVM: takes constant values only, and forgets that negative indices count from the end."""
    depth = int(node.known(1, "a depth")[0])
    indices, values = cast(node, node.tensor(0), "int64"), node.tensor(2)
    rank = len(shape_of(indices)) + 1
    axis = normal_axis(int(node.attribute("axis", -1)), rank)
    negative = node.emit(relax.op.less(indices, relax.const(0, "int64")))
    above = node.emit(relax.op.add(indices, relax.const(depth, "int64")))
    place = node.emit(relax.op.expand_dims(node.emit(relax.op.where(negative, above, indices)), [axis]))
    levels = np.arange(depth, dtype="int64").reshape([depth if k == axis else 1 for k in range(rank)])
    hot = node.emit(relax.op.equal(place, constant(levels)))
    off, on = (
        node.emit(relax.op.squeeze(node.emit(relax.op.strided_slice(values, [0], [k], [k + 1])), [0]))
        for k in range(2)
    )
    return relax.op.where(hot, on, off)


def _pad(node: Node) -> Any:
    """TVM: needs the constant that it pads with when it compiles."""
    if node.attribute("mode", "constant") != "constant" or not node.has(2) or node.constant(2) is not None:
        return None
    x, value = node.tensor(0), node.tensor(2)
    shape = shape_of(x)
    pads, axes = node.known(1, "pads"), list(range(len(shape)))
    if node.has(3):
        axes = [normal_axis(axis, len(shape)) for axis in node.known(3, "axes")]
    before, after = [0] * len(shape), [0] * len(shape)
    for k, axis in enumerate(axes):
        before[axis], after[axis] = int(pads[k]), int(pads[k + len(pads) // 2])
    sizes = [b + size + a for b, size, a in zip(before, shape, after, strict=True)]

    def padded(data: Any, number: Any) -> Any:
        def element(*at: Any) -> Any:
            inner = [k - b for k, b in zip(at, before, strict=True)]
            inside = [tvm.tirx.all(k >= 0, k < size) for k, size in zip(inner, shape, strict=True)]
            return if_then_else(tvm.tirx.all(*inside), data(*inner), number(0))

        return te.compute(sizes, element, name="pad")

    return node.builder.emit_te(padded, x, node.emit(relax.op.reshape(cast(node, value, dtype_of(x)), [1])))


def _reverse_sequence(node: Node) -> Any:
    """ReverseSequence, which TVM's importer does not have."""
    batch, time = int(node.attribute("batch_axis", 1)), int(node.attribute("time_axis", 0))

    def reversed_(data: Any, lengths: Any) -> Any:
        def element(*at: Any) -> Any:
            length = lengths(at[batch]).astype("int64")
            moved = list(at)
            moved[time] = if_then_else(at[time] < length, length - 1 - at[time], at[time])
            return data(*moved)

        return te.compute(data.shape, element, name="reverse_sequence")

    return node.builder.emit_te(reversed_, node.tensor(0), node.tensor(1))


def _tensor_scatter(node: Node) -> Any:
    """TensorScatter, which TVM's importer does not have: rows of a cache written from an index on."""
    past, update = node.tensor(0), node.tensor(1)
    rank = len(shape_of(past))
    axis, circular = normal_axis(int(node.attribute("axis", -2)), rank), node.attribute("mode") == "circular"
    length, size = shape_of(update)[axis], shape_of(past)[axis]
    starts = node.tensor(2) if node.has(2) else constant(np.zeros(shape_of(past)[0], "int64"))

    def written(cache: Any, rows: Any, start: Any) -> Any:
        def element(*at: Any) -> Any:
            row = at[axis] - start(at[0])
            row = tvm.tirx.floormod(row, size) if circular else row
            inner = [row if k == axis else place for k, place in enumerate(at)]
            inside = tvm.tirx.all(row >= 0, row < length)
            return if_then_else(inside, rows(*inner), cache(*at))

        return te.compute(cache.shape, element, name="tensor_scatter")

    return node.builder.emit_te(written, past, update, starts)


def _array_feature(node: Node) -> Any:
    """ai.onnx.ml.ArrayFeatureExtractor: elements along the last axis."""
    x, indices = node.tensor(0), cast(node, node.tensor(1), "int64")
    flat = node.emit(relax.op.reshape(indices, [-1]))
    if len(shape_of(x)) == 1:
        x = node.emit(relax.op.reshape(x, [1, -1]))
    return relax.op.take(x, flat, axis=len(shape_of(x)) - 1, mode="clip")


def _binarizer(node: Node) -> Any:
    """ai.onnx.ml.Binarizer."""
    x = node.tensor(0)
    limit = relax.const(float(node.attribute("threshold", 0.0)), dtype_of(x))
    return relax.op.astype(node.emit(relax.op.greater(x, limit)), dtype_of(x))


def _triangle(node: Node) -> Any:
    """TVM: fails for a diagonal that the run decides."""
    if not node.has(1) or node.constant(1) is not None:
        return None
    x = node.tensor(0)
    rows, columns = shape_of(x)[-2:]
    if not (isinstance(rows, int) and isinstance(columns, int)):
        raise node.unsupported("with a free size and a diagonal that only the run decides")
    above = np.arange(columns)[None, :] - np.arange(rows)[:, None]  # of the main diagonal, how far
    k = node.emit(relax.op.reshape(cast(node, node.tensor(1), "int64"), [1, 1]))
    compare = relax.op.greater_equal if node.attribute("upper", 1) else relax.op.less_equal
    kept = node.emit(compare(constant(above.astype("int64")), k))
    return relax.op.where(kept, x, relax.const(0, dtype_of(x)))


def _unsqueeze(node: Node) -> Any:
    """TVM: fails where the one axis is a number, not a list of one."""
    axes = node.constant(1)
    if axes is None or axes.ndim or not isinstance(node.inputs[0].ty, relax.TensorType):
        return None
    return relax.op.expand_dims(node.tensor(0), [int(axes)])


def _expand(node: Node) -> Any:
    """TVM: takes a shape that only the run decides for the result's, though a 1 in it keeps a size."""
    x, target = node.tensor(0), node.sizes(1, "a shape")
    shape = shape_of(x)
    rank = max(len(shape), len(target))
    shape, target = ([1] * (rank - len(sizes)) + sizes for sizes in (shape, target))
    if any(
        not isinstance(one, int) and isinstance(to, int) and to != 1
        for one, to in zip(shape, target, strict=True)
    ):
        raise node.unsupported("of a free dimension to a known size")
    result = [to if isinstance(one, int) and one == 1 else one for one, to in zip(shape, target, strict=True)]
    return relax.op.broadcast_to(x, relax.ShapeExpr(result))


def _split(node: Node) -> Any:
    """TVM: fails for parts of size 0."""
    x = node.tensor(0)
    axis = normal_axis(int(node.attribute("axis", 0)), len(shape_of(x)))
    given = node.constant(1) if node.has(1) else node.attributes.get("split")
    sizes = [] if given is None else [int(size) for size in np.ravel(given)]
    if 0 not in sizes:
        return None
    edges = np.cumsum([0, *sizes]).tolist()
    parts = []
    for begin, size in zip(edges, sizes, strict=False):
        shape = relax.ShapeExpr([size if k == axis else s for k, s in enumerate(shape_of(x))])
        part = relax.op.strided_slice(x, [axis], [begin], [begin + size])
        parts.append(node.emit(part if size else relax.op.zeros(shape, dtype_of(x))))
    return relax.Tuple(parts)


def _reshape(node: Node) -> Any:
    """TVM: with allowzero, takes a size of 0 for one that is only known when the model runs.

    It fails where a single size becomes a list of one, as PyTorch's newer exporter writes it.
    """
    shape = node.constant(1)
    if shape is not None and tvm.ir.is_prim_expr(node.inputs[0]):
        return relax.ShapeExpr([node.inputs[0]]) if shape.size == 1 else node.inputs[0]
    if not node.attribute("allowzero", 0) or shape is None or 0 not in shape:
        return None
    x = node.tensor(0)
    return relax.op.zeros(relax.ShapeExpr([int(size) for size in shape]), dtype_of(x))


def _flatten(node: Node) -> Any:
    """TVM: has the second size found from the first, which it cannot where there are no elements."""
    x = node.tensor(0)
    shape = shape_of(x)
    if 0 not in shape or not all(isinstance(size, int) for size in shape):
        return None
    axis = int(node.attribute("axis", 1))
    axis += len(shape) if axis < 0 else 0
    sizes = [int(np.prod(part)) for part in (shape[:axis], shape[axis:])]
    return relax.op.zeros(relax.ShapeExpr(sizes), dtype_of(x))


CONVERTERS = {
    "Flatten": _flatten,
    "Expand": _expand,
    "EyeLike": _eye_like,
    "Gather": _gather,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Reshape": _reshape,
    "ReverseSequence": _reverse_sequence,
    "Split": _split,
    "TensorScatter": _tensor_scatter,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
    "ai.onnx.ml.ArrayFeatureExtractor": _array_feature,
    "ai.onnx.ml.Binarizer": _binarizer,
}
