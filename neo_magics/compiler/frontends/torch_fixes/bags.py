"""Bags of rows, which TVM does not have."""

from __future__ import annotations

from typing import Any

from tvm import relax, tirx

from neo_magics.compiler.frontends.torch_fixes.arithmetic import cast_to
from neo_magics.compiler.kernels.row_sums import SUM, Bags, bags
from neo_magics.compiler.passes import calls

_HALVES = ("float16", "bfloat16")


def embedding_bag(node: Any, importer: Any) -> Any:
    """aten._embedding_bag, of which only the bags are read. The table's size must be known."""
    given = dict(enumerate(node.args))
    mode, with_end, padding = given.get(4, SUM), given.get(7, False), given.get(8, -1)
    builder, emit = importer.block_builder, importer.block_builder.emit
    table, indices, offsets = (importer.env[arg] for arg in node.args[:3])
    weights = importer.env[given[6]] if given.get(6) is not None else None
    dtype, places = calls.dtype_of(table), calls.dtype_of(indices)
    own = "float32" if dtype in _HALVES else dtype
    rows, width = calls.static_shape(table) or (None, None)
    if rows is None or width is None:
        raise NotImplementedError("of a table of free size")
    [many], [ends] = calls.shape_of(indices) or (), calls.shape_of(offsets) or ()
    if with_end and not isinstance(ends, int):
        raise NotImplementedError("of a free number, with the end of the last one")
    count = ends - 1 if with_end else ends
    wanted = Bags(
        rows, width, many if isinstance(many, int) else tirx.Var("many", "int64"),
        count if isinstance(count, int) else tirx.Var("count", "int64"), mode, padding, weights is not None,
        bool(with_end), own, places,
    )  # fmt: skip
    kernel = builder.add_func(bags(wanted), "bags")
    operands = [cast_to(emit, table, own), indices, cast_to(emit, offsets, places)]
    operands += [cast_to(emit, weights, own)] if weights is not None else []
    made = emit(relax.call_tir(kernel, operands, relax.TensorType([count, width], own)))
    unused = emit(relax.op.zeros(relax.ShapeExpr([1]), "int64"))
    return emit(relax.Tuple([cast_to(emit, made, dtype), unused, unused, unused]))


CONVERTERS = {
    "_embedding_bag.default": embedding_bag,
    "_embedding_bag_forward_only.default": embedding_bag,
}
