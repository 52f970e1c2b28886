"""Sizes that are compared and counted, and parts that are joined, where some of them are free."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax, topi
from tvm.sym import Analyzer

from neo_magics.compiler.frontends.equal_sizes import equal_but, found_equal
from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    as_tensor,
    constant_of,
    normal_axis,
    shape_of,
)
from neo_magics.compiler.frontends.shapes import shape_text
from neo_magics.compiler.passes import calls


def _equal(node: Node) -> Any:
    """TVM: finds that no size of a shape equals a number, 1 not even 1, and that a free size equals none."""
    values = [_sizes(value) for value in node.inputs]
    if any(value is None for value in values) or not any(map(_is_size, node.inputs)):
        return None
    ones, others = np.broadcast_arrays(*(np.array(value, dtype=object) for value in values))
    told = [_same(one, other) for one, other in zip(ones.ravel(), others.ravel(), strict=True)]
    if all(each is not None for each in told):
        return relax.const(np.array(told, bool).reshape(ones.shape), "bool")
    return relax.op.equal(*(as_tensor(node.builder, value) for value in node.inputs))


def _is_size(value: Any) -> bool:
    return isinstance(value, relax.ShapeExpr) or tvm.ir.is_prim_expr(value)


def _sizes(value: Any) -> Any | None:
    """Numbers and expressions as nested lists, None for what is no size."""
    if isinstance(value, relax.ShapeExpr):
        return [int(size) if hasattr(size, "value") else size for size in value.values]
    if tvm.ir.is_prim_expr(value):
        return int(value) if hasattr(value, "value") else value
    known = constant_of(value)
    return None if known is None or known.dtype.kind not in "iu" else known.tolist()


def _same(one: Any, other: Any) -> bool | None:
    """Whether two sizes are equal for every size of the free dimensions; None where that depends on it."""
    if isinstance(one, int) and isinstance(other, int):
        return one == other
    if any(isinstance(each, int) and each < 0 for each in (one, other)):
        return False
    analyzer = Analyzer()
    if analyzer.can_prove_equal(one, other):
        return True
    return False if analyzer.can_prove(one != other) else None


def _size(node: Node) -> Any:
    """TVM: makes a tensor of the number of elements, also where it is known, or a product of sizes."""
    value = node.inputs[0]
    if isinstance(value, relax.ShapeExpr):
        return relax.prim_value(len(value.values))
    tensor = node.tensor(0)
    if not hasattr(tensor.ty.shape, "values"):
        return None
    count = tvm.tirx.const(1, "int64")
    for size in tensor.ty.shape.values:
        count = count * size
    return relax.prim_value(Analyzer().simplify(count))


def _concat(node: Node) -> Any:
    """TVM: forgets the shape where it cannot prove that the parts' sizes are equal, and fails later, for
    whatever comes next: an image that is halved and doubled again is as it was for even sides only. As in
    ONNX Runtime, the run finds out."""
    if any(_is_size(value) or not hasattr(getattr(value, "ty", None), "shape") for value in node.inputs):
        return None
    parts = [node.tensor(index) for index in range(len(node.inputs))]
    if any(not hasattr(part.ty.shape, "values") for part in parts):
        return None
    axis = normal_axis(int(node.attributes["axis"]), len(shape_of(parts[0])))
    joined = node.builder.normalize(relax.op.concat(parts, axis))
    if joined.ty.shape is None:
        pairs = zip(parts, equal_but(axis, [shape_of(part) for part in parts]), strict=True)
        equal = [found_equal(part, shape, node.builder) for part, shape in pairs]
        joined = node.builder.normalize(relax.op.concat(equal, axis))
    if joined.ty.shape is None:
        told = "; ".join(_text(shape_of(part)) for part in parts[:3])
        raise node.unsupported(f"for parts that are not of equal sizes for every free size: {told}")
    return joined


def _text(shape: Sequence[Any]) -> str:
    """Without TVM's words for the type of each number."""
    return re.sub(r"T\.int64\((-?\d+)\)", r"\1", shape_text([str(size) for size in shape]))


def _arithmetic(node: Node) -> Any:
    """TVM: reckons with single sizes; it fails for lists of them, and makes a number of a list of one."""
    if not any(map(_is_size, node.inputs)) or set(node.input_types) - {"int64", ""}:
        return None
    values = [_sizes(value) for value in node.inputs]
    if any(value is None for value in values):
        return None
    pairs = np.broadcast_arrays(*(np.array(value, dtype=object) for value in values))
    if pairs[0].ndim != 1:
        return None
    reckon = _RECKON[node.operator]
    found = [reckon(one, other) for one, other in zip(*pairs, strict=True)]
    return relax.ShapeExpr([each if isinstance(each, int) else Analyzer().simplify(each) for each in found])


def _quotient(one: Any, other: Any) -> Any:
    """Sizes are not negative: rounded down or to zero is the same."""
    return one // other if isinstance(one, int) and isinstance(other, int) else tvm.tirx.floordiv(one, other)


_RECKON = {"Add": operator.add, "Sub": operator.sub, "Mul": operator.mul, "Div": _quotient}


def _range(node: Node) -> Any:
    """TVM: has the run count the places of a grid that is as wide as a size, and forgets that it is."""
    start, size, step = node.constant(0), _traced(node, node.inputs[1]), node.constant(2)
    if start is None or step is None or size is None or hasattr(size, "value"):
        return None
    dtype = str(start.dtype)
    if float(start) != int(start) or float(step) != int(step) or step <= 0:
        return None
    places = relax.op.arange(relax.prim_value(int(start)), size, relax.prim_value(int(step)), "int64")
    return relax.op.astype(node.emit(places), dtype)


def _traced(node: Node, value: Any) -> Any | None:
    """The size that a number is, a float of it too; None for other numbers."""
    while isinstance(value, relax.Var | tvm.ir.Call) and not tvm.ir.is_prim_expr(value):
        value = node.builder.lookup_binding(value) if isinstance(value, relax.Var) else value
        name = calls.name_of(value)
        if name == "relax.shape_to_tensor" and isinstance(value.args[0], relax.ShapeExpr):
            sizes = list(value.args[0].values)
            return sizes[0] if len(sizes) == 1 else None
        if name not in ("relax.astype", "relax.squeeze", "relax.reshape"):
            return None
        value = value.args[0]
    if not tvm.ir.is_prim_expr(value):
        return None
    return value.value if isinstance(value, tvm.tirx.Cast) else value


def _tile(node: Node) -> Any:
    """TVM: fails for repeats that are sizes."""
    if not isinstance(node.inputs[1], relax.ShapeExpr) or node.constant(1) is not None:
        return None
    x, repeats = node.tensor(0), node.sizes(1, "repeats")
    sizes = [size * count for size, count in zip(shape_of(x), repeats, strict=True)]
    return node.builder.emit_te(topi.dyn_tile, x, sizes, len(sizes))


CONVERTERS = {
    **dict.fromkeys(_RECKON, _arithmetic),
    "Equal": _equal,
    "Size": _size,
    "Concat": _concat,
    "Range": _range,
    "Tile": _tile,
}
