"""TFLite's sparse weights as dense arrays.

The format (TensorFlow's schema, SparsityParameters) walks the dimensions in `traversal_order`, blocks of
dimensions last; each is dense, or a list of positions in the manner of compressed sparse rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_TYPES = {1: np.int32, 2: np.uint16, 3: np.uint8}  # SparseIndexVector


def dense(tensor: Any, values: Array) -> Array:
    """The whole array of a sparse `tensor` whose stored values are `values`."""
    sparsity, shape = tensor.Sparsity(), [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
    order = [sparsity.TraversalOrder(i) for i in range(sparsity.TraversalOrderLength())]
    blocked = [sparsity.BlockMap(i) for i in range(sparsity.BlockMapLength())]
    sizes = {
        axis: sparsity.DimMetadata(level).DenseSize()
        for level, axis in enumerate(order)
        if axis >= len(shape)
    }
    where = _positions([sparsity.DimMetadata(level) for level in range(len(order))], order)
    index = [where[axis] for axis in range(len(shape))]
    for block, axis in enumerate(blocked):
        index[axis] = index[axis] * sizes[len(shape) + block] + where[len(shape) + block]
    result = np.zeros(shape, values.dtype)
    result[tuple(index)] = values[: len(index[0])]
    return result


def _positions(levels: list[Any], order: list[int]) -> dict[int, Array]:
    """Dimension → its position for each stored value, in the order of the values."""
    found: dict[int, Array] = {}
    nodes = np.zeros(1, np.int64)  # one for each path so far: its number within the level
    for level, axis in zip(levels, order, strict=True):
        if level.Format() == 0:
            size = level.DenseSize()
            parents = np.repeat(np.arange(len(nodes)), size)
            here = np.tile(np.arange(size), len(nodes))
            nodes = np.repeat(nodes, size) * size + here
        else:
            segments = _vector(level.ArraySegments(), level.ArraySegmentsType())
            indices = _vector(level.ArrayIndices(), level.ArrayIndicesType())
            counts = segments[nodes + 1] - segments[nodes]
            parents = np.repeat(np.arange(len(nodes)), counts)
            first = np.repeat(segments[nodes] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
            nodes = np.arange(len(parents)) + first
            here = indices[nodes]
        found = {known: place[parents] for known, place in found.items()}
        found[axis] = here
    return found


def _vector(table: Any, kind: int) -> Array:
    """The numbers of a vector of one of three types, which the schema's union says."""
    offset = table.Offset(4)
    if not offset:
        return np.zeros(0, np.int64)
    begin, count = table.Vector(offset), table.VectorLen(offset)
    return np.frombuffer(table.Bytes, _TYPES[kind], count, begin).astype(np.int64)
