"""Windows whose padding follows from the size: auto_pad SAME.

TVM: rounds SAME_LOWER down before it pads for the maximum, pads by less than nothing where a stride is longer
than its window, and fails for free sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tvm import relax, te, tirx

from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, dtype_of, shape_of
from neo_magics.compiler.frontends.onnx_fixes.sampling import max_pool, rounded_up


@dataclass(frozen=True)
class _Windows:
    """Along each axis: the elements that a window reaches over, and the step to the next."""

    reach: list[int]
    steps: list[int]
    lower: bool

    def around(self, axis: int, size: Any) -> tuple[Any, Any, Any]:
        """(before, after, whole): the padding that gives ⌈size / step⌉ windows, and the padded size."""
        step, reach = self.steps[axis], self.reach[axis]
        if isinstance(size, int):
            whole = max(size, (-(-size // step) - 1) * step + reach)
        else:
            whole = (tirx.ceildiv(size, step) - 1) * step + reach if step > 1 else size + reach - 1
        total = whole - size if step > 1 or isinstance(size, int) else reach - 1
        before = (total + 1) // 2 if self.lower else total // 2
        return before, total - before, whole


def _windows(node: Node, kernel: Sequence[int]) -> _Windows:
    dilations = node.attribute("dilations", [1] * len(kernel))
    reach = [(width - 1) * wide + 1 for width, wide in zip(kernel, dilations, strict=True)]
    steps = list(node.attribute("strides", [1] * len(kernel)))
    return _Windows(reach, steps, node.attribute("auto_pad") == "SAME_LOWER")


def _explicit(node: Node, pads: Sequence[int]) -> Node:
    left = {name: value for name, value in node.attributes.items() if name not in ("auto_pad", "ceil_mode")}
    return replace(node, attributes=left | {"pads": list(pads)})


def _same(node: Node, windows: _Windows, outside: float) -> Node:
    """`node` with padding of its own: an attribute where it is known, else elements around the image."""
    x = node.tensor(0)
    sizes = shape_of(x)[2:]
    free = [k for k, size in enumerate(sizes) if not isinstance(size, int) and windows.steps[k] > 1]
    if any(windows.reach[k] < windows.steps[k] for k in free):
        raise node.unsupported("with SAME padding along a free dimension and a stride beyond its window")
    around = [windows.around(k, size) for k, size in enumerate(sizes)]
    if not free:
        return _explicit(node, [pair[0] for pair in around] + [pair[1] for pair in around])
    padded = _padded(node, x, around, outside)
    return replace(_explicit(node, [0] * 2 * len(sizes)), inputs=[padded, *node.inputs[1:]])


def _padded(node: Node, x: Any, around: Sequence[tuple[Any, Any, Any]], outside: float) -> Any:
    """`x` with `outside` around its image."""
    shape = shape_of(x)

    def image(data: Any) -> Any:
        def element(n: Any, c: Any, *at: Any) -> Any:
            spot = [place - before for place, (before, _after, _whole) in zip(at, around, strict=True)]
            inside = [tirx.all(place >= 0, place < size) for place, size in zip(spot, shape[2:], strict=True)]
            value = tirx.const(outside, data.dtype)
            return tirx.if_then_else(tirx.all(*inside), data(n, c, *spot), value)

        return te.compute([*shape[:2], *(whole for _before, _after, whole in around)], element, name="padded")

    return node.builder.emit_te(image, x)


def _pool(node: Node) -> Any:
    """MaxPool, AveragePool and LpPool."""
    largest, explicit = node.operator == "MaxPool", node
    if "SAME" in node.attribute("auto_pad", "NOTSET"):
        windows = _windows(node, node.attributes["kernel_shape"])
        free = not all(isinstance(size, int) for size in shape_of(node.tensor(0))[2:])
        if free and not largest and (node.operator == "LpPool" or node.attribute("count_include_pad", 0)):
            raise node.unsupported("along a free dimension with padding that counts")
        explicit = _same(node, windows, float("-inf") if largest else 0.0)
    if largest and node.uses(1):
        return max_pool(explicit)
    if explicit is node:
        return None if node.operator == "LpPool" else rounded_up(node)
    result = by_tvm(explicit, node.operator, explicit.inputs)
    return result if explicit.inputs[0] is node.inputs[0] else _per_element(node, explicit, result)


def _per_element(node: Node, explicit: Node, averaged: Any) -> Any:
    """Averages over what lies inside of the image, where zeros were put around it."""
    if node.operator != "AveragePool":
        return averaged
    x = node.tensor(0)
    ones = node.emit(relax.op.ones(relax.ShapeExpr([1, 1, *shape_of(x)[2:]]), dtype_of(x)))
    sizes = shape_of(x)[2:]
    windows = _windows(node, node.attributes["kernel_shape"])
    around = [windows.around(k, size) for k, size in enumerate(sizes)]
    share = by_tvm(explicit, "AveragePool", [_padded(node, ones, around, 0.0)])
    return relax.op.divide(node.emit(averaged), node.emit(share))


def _conv(node: Node) -> Any:
    """Conv with automatic padding; other forms are TVM's."""
    if "SAME" not in node.attribute("auto_pad", "NOTSET"):
        return None
    kernel = [int(size) for size in node.attributes.get("kernel_shape") or shape_of(node.tensor(1))[2:]]
    explicit = _same(node, _windows(node, kernel), 0.0)
    bias = node.inputs[2] if node.has(2) else None
    return by_tvm(explicit, "Conv", [explicit.inputs[0], node.tensor(1), bias])


CONVERTERS = {"MaxPool": _pool, "AveragePool": _pool, "LpPool": _pool, "Conv": _conv}
