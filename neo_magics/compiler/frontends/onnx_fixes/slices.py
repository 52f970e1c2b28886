"""Slice: the form of opset 9 and older, slices along a free dimension that leave all of it, and empty ones.

TVM: takes starts and ends as inputs only; of a free size n it makes min(2147483647, n), which is no longer
known to equal n, so that the next sum with another tensor of n rows has no shape. It fails where an end lies
before its start, and where a negative step starts before the first element it forgets that one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    by_tvm,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)

Array = np.ndarray[Any, Any]
_NO_END = 10**9  # exporters write this or more for "as far as it goes": no axis is as long


def _slice(node: Node) -> Any:
    operands: list[Any] = _operands(node)
    data = node.inputs[0]
    known = all(operand is not None for operand in operands)
    if known and isinstance(getattr(data, "ty", None), relax.TensorType) and data.ty.shape is not None:
        operands = _settled(data, _without_whole(data, operands))
        if not operands[0].size:
            return data
        counts = _counts(data, operands)
        if 0 in counts.values():
            return _nothing(node, data, operands, counts)
    elif node.opset >= 10:
        return None
    return by_tvm(
        node, "Slice", [data, *(each if each is None else constant(each) for each in operands)], {}, 13
    )


def _operands(node: Node) -> list[Array | None]:
    """Starts, ends, axes and steps; None for one that the run decides."""
    if node.opset < 10:
        starts, ends = (np.array(node.attributes[name], "int64") for name in ("starts", "ends"))
        axes = np.array(node.attribute("axes", list(range(len(starts)))), "int64")
        return [starts, ends, axes, np.ones_like(starts)]
    given = [node.constant(k) for k in (1, 2)]
    count = 0 if given[0] is None else given[0].size
    given.append(node.constant(3) if node.has(3) else np.arange(count))
    given.append(node.constant(4) if node.has(4) else np.ones(count, "int64"))
    return [None if part is None else np.ravel(part).astype("int64") for part in given]


def _without_whole(data: Any, operands: list[Any]) -> list[Any]:
    """The operands without those axes that are free and kept as they are."""
    shape = shape_of(data)
    kept = [
        k
        for k, (start, end, axis, step) in enumerate(zip(*operands, strict=True))
        if isinstance(shape[normal_axis(int(axis), len(shape))], int)
        or not (start == 0 and end >= _NO_END and step == 1)
    ]
    return [operand[kept] for operand in operands]


def _settled(data: Any, operands: list[Any]) -> list[Any]:
    """Starts and ends along known sizes as places that there are, as ONNX clamps them.

    The end of a negative step that takes the first element too is counted from the end: -size - 1.
    """
    shape = shape_of(data)
    starts, ends, axes, steps = (np.copy(operand) for operand in operands)
    for k, axis in enumerate(axes):
        size = shape[normal_axis(int(axis), len(shape))]
        if not isinstance(size, int):
            continue
        start, end = (int(place) + size if place < 0 else int(place) for place in (starts[k], ends[k]))
        if steps[k] > 0:
            starts[k], ends[k] = min(max(start, 0), size), min(max(end, 0), size)
        else:
            starts[k], end = min(max(start, 0), size - 1), min(max(end, -1), size - 1)
            ends[k] = end if end >= 0 else -size - 1
    return [starts, ends, axes, steps]


def _counts(data: Any, operands: list[Any]) -> dict[int, int]:
    """How many elements are left along each axis of known size, and 0 for a free one of which none can be."""
    shape = shape_of(data)
    found = {}
    for start, end, axis, step in zip(*(operand.tolist() for operand in operands), strict=True):
        place = normal_axis(axis, len(shape))
        if isinstance(shape[place], int):
            last = -1 if step < 0 and end < 0 else end
            found[place] = max(0, -(-(last - start) // step))
        elif (start < 0) == (end < 0) and (end - start) * step <= 0:
            found[place] = 0
    return found


def _nothing(node: Node, data: Any, operands: list[Any], counts: dict[int, int]) -> Any:
    """The empty result, which has the sizes of what is cut along the other axes."""
    others = [
        k for k, axis in enumerate(operands[2]) if counts.get(normal_axis(int(axis), data.ty.ndim)) != 0
    ]
    rest = [constant(operand[others]) for operand in operands]
    cut = node.emit(by_tvm(node, "Slice", [data, *rest], {}, 13)) if others else data
    sizes = [counts.get(axis, size) for axis, size in enumerate(shape_of(cut))]
    return relax.op.zeros(relax.ShapeExpr(sizes), dtype_of(data))


CONVERTERS = {"Slice": _slice}
