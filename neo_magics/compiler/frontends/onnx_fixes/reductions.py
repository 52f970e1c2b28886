"""Reductions: of nothing at all, and the largest of nothing but infinities.

TVM: starts a maximum from the least finite number, so that of -inf alone it finds -3.4e38 (and a row of
attention that is masked out altogether is not recognised); loops over 0 elements fail, and so do
those over booleans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tvm import relax, te, tirx

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)

_OF_NOTHING = {
    "ReduceSum": 0.0, "ReduceProd": 1.0, "ReduceL1": 0.0, "ReduceL2": 0.0, "ReduceSumSquare": 0.0,
    "ReduceLogSum": -np.inf, "ReduceLogSumExp": -np.inf, "ReduceMax": -np.inf, "ReduceMin": np.inf,
    "ReduceMean": np.nan,
}  # fmt: skip


def _reduce(node: Node) -> Any:
    shape, axes = shape_of(node.tensor(0)), _axes(node)
    if axes is None:
        return None
    dtype = dtype_of(node.tensor(0))
    keep = bool(node.attribute("keepdims", 1))
    if any(shape[axis] == 0 for axis in axes):
        result = [1 if k in axes else size for k, size in enumerate(shape) if keep or k not in axes]
        if not all(isinstance(size, int) for size in result):
            raise node.unsupported("of nothing, in a free shape")
        return constant(np.full(result, _nothing(node.operator, dtype), dtype))
    if node.operator in ("ReduceMax", "ReduceMin") and dtype == "bool" and axes:
        reduce = relax.op.max if node.operator == "ReduceMax" else relax.op.min
        return relax.op.astype(node.emit(reduce(cast(node, node.tensor(0), "int8"), axes, keep)), "bool")
    if node.operator in ("ReduceMax", "ReduceMin") and "float" in dtype and axes:
        return node.builder.emit_te(_extreme(node.operator == "ReduceMax", axes, keep), node.tensor(0))
    return None


def _axes(node: Node) -> list[int] | None:
    """The axes, in order; None where the run decides them."""
    rank = len(shape_of(node.tensor(0)))
    given = node.constant(1) if node.has(1) else node.attributes.get("axes", ())
    if given is None:
        return None
    axes = sorted(normal_axis(int(axis), rank) for axis in np.ravel(given))
    if axes or node.attribute("noop_with_empty_axes", 0):
        return axes
    return list(range(rank))


def _nothing(operator: str, dtype: str) -> Any:
    value = _OF_NOTHING[operator]
    if "float" in dtype or np.isfinite(value):
        return value
    if dtype == "bool":
        return value > 0
    info = np.iinfo(dtype)
    return int(info.min if value < 0 else info.max)


def _extreme(largest: bool, axes: Sequence[int], keep: bool) -> Callable[[Any], Any]:
    """The largest or least along `axes`, beginning with the infinity that any number replaces."""
    pick = tirx.max if largest else tirx.min
    reducer = te.comm_reducer(
        lambda one, other: pick(one, other),  # noqa: PLW0108  TVM counts the parameters
        lambda dtype: tirx.const(-np.inf if largest else np.inf, dtype),
        name="max" if largest else "min",
    )

    def compute(x: Any) -> Any:
        inner = [te.reduce_axis((0, x.shape[axis]), name=f"k{axis}") for axis in axes]
        shape = [1 if k in axes else size for k, size in enumerate(x.shape) if keep or k not in axes]

        def element(*at: Any) -> Any:
            left = [place for k, place in enumerate(at) if not keep or k not in axes]
            places = [inner[axes.index(k)] if k in axes else left.pop(0) for k in range(len(x.shape))]
            return reducer(x(*places), axis=inner)

        return te.compute(shape, element, name="reduced")

    return compute


CONVERTERS = dict.fromkeys(_OF_NOTHING, _reduce)
