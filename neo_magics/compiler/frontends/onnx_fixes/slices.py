"""Slice: the form of opset 9 and older, and slices along a free dimension that leave all of it.

TVM: takes starts and ends as inputs only; of a free size n it makes min(2147483647, n), which is no longer
known to equal n, so that the next sum with another tensor of n rows has no shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, constant, normal_axis, shape_of

Array = np.ndarray[Any, Any]
_NO_END = 10**9  # exporters write this or more for "as far as it goes": no axis is as long


def _slice(node: Node) -> Any:
    operands: list[Any] = _operands(node)
    data = node.inputs[0]
    known = all(operand is not None for operand in operands)
    if known and isinstance(getattr(data, "ty", None), relax.TensorType) and data.ty.shape is not None:
        operands = _without_whole(data, operands)
        if not operands[0].size:
            return data
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


CONVERTERS = {"Slice": _slice}
