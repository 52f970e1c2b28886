"""Cast, CastLike and BitCast.

TVM: has no code for types of less than 8 bits and for floats of 8; it casts NaN to a whole number that
differs from machine to machine; it has no BitCast.
"""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax, te

from neo_magics.artifact.dtypes import carrier, is_narrow
from neo_magics.compiler.frontends.onnx_fixes.narrow import decoded, encoded
from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, cast, dtype_of, shape_of
from neo_magics.compiler.frontends.onnx_graph import element_name


def _cast(node: Node) -> Any:
    """TVM: makes a tensor of a shape, also where it stays the int64 that it is."""
    to = element_name(int(node.attributes["to"]))
    if isinstance(node.inputs[0], relax.ShapeExpr) and to == "int64":
        return node.inputs[0]
    if not isinstance(node.inputs[0].ty, relax.TensorType) and to in ("int64", "int32"):
        return by_tvm(node, "Cast", node.inputs)  # a shape or size stays one
    return _converted(node, to)


def _cast_like(node: Node) -> Any:
    return _converted(node, node.input_types[1] or dtype_of(node.tensor(1)))


def _converted(node: Node, to: str) -> Any:
    x = node.tensor(0)
    source = node.input_types[0] or dtype_of(x)
    if source == to:
        return x
    if to == "text":
        raise node.unsupported("to text")
    if is_narrow(source):
        x = decoded(node, x, source, "float32" if is_narrow(to) else to)
    if not is_narrow(to):
        return cast(node, x, to)
    rounding = node.attribute("round_mode", "up") if to == "float8_e8m0fnu" else "even"
    saturate = bool(node.attribute("saturate", 1))
    return encoded(node, x, to, saturate=saturate, rounding=rounding)


def _bit_cast(node: Node) -> Any:
    """The same bits as another type of the same width."""
    to, x = element_name(int(node.attributes["to"])), node.tensor(0)
    if dtype_of(x) == "bool":
        x = cast(node, x, "uint8")
    if dtype_of(x) == carrier(to) or tvm.DataType(carrier(to)).bits != tvm.DataType(dtype_of(x)).bits:
        return x if dtype_of(x) == carrier(to) else _refused(node, to)

    def same(values: Any) -> Any:
        return te.compute(
            values.shape, lambda *at: tvm.tirx.reinterpret(carrier(to), values(*at)), name="bit_cast"
        )

    return node.builder.emit_te(same, x) if shape_of(x) else _scalar(node, same, x)


def _scalar(node: Node, compute: Any, x: Any) -> Any:
    row = node.emit(relax.op.reshape(x, [1]))
    return node.emit(relax.op.reshape(node.builder.emit_te(compute, row), []))


def _refused(node: Node, to: str) -> Any:
    raise node.unsupported(f"from {dtype_of(node.tensor(0))} to {to}")


CONVERTERS = {"Cast": _cast, "CastLike": _cast_like, "BitCast": _bit_cast}
