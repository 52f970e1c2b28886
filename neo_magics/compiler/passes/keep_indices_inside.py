"""Indices that are computed or given by the user are kept inside of the tensor that they pick from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax, te, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls

_ALONG_AN_AXIS = ("relax.gather_elements", "relax.scatter_elements")


@tvm.transform.module_pass(opt_level=0, name="KeepIndicesInside")
class KeepIndicesInside:
    """take(mode="fast") → take(mode="clip"): a token beyond the table reads its last row.

    The indices of gather_elements, scatter_elements, gather_nd, scatter_nd and index_put are clamped
    likewise, after a negative one was counted from the end. The frameworks raise an error there; plain TVM
    reads and writes whatever lies in memory, and often ends the process.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Rewriter(module), module)


@mutator
class _Rewriter(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        name = calls.name_of(call)
        if name == "relax.take" and not isinstance(call.args[1], tvm.ir.GenericConst):
            axis = call.attrs.axis
            return relax.op.take(call.args[0], call.args[1], None if axis is None else int(axis), mode="clip")
        if name in _ALONG_AN_AXIS:
            x, index, *rest = call.args
            size = x.ty.shape.values[int(call.attrs.axis)]
            return tvm.ir.Call(call.op, [x, self.inside(index, [size]), *rest], call.attrs)
        if name in ("relax.gather_nd", "relax.scatter_nd"):
            x, index, *rest = call.args
            first = int(call.attrs.batch_dims) if name == "relax.gather_nd" else 0
            sizes = x.ty.shape.values[first : first + int(index.ty.shape.values[-1])]
            return tvm.ir.Call(call.op, [x, self.inside(index, sizes), *rest], call.attrs)
        if name == "relax.index_put":
            x, indices, *rest = call.args
            parts = zip(calls.fields_of(indices, self.lookup_binding), x.ty.shape.values, strict=True)
            inside = relax.Tuple([self.inside(index, [size]) for index, size in parts])
            return tvm.ir.Call(call.op, [x, inside, *rest], call.attrs)
        return call

    def inside(self, index: Any, sizes: Sequence[Any]) -> Any:
        """`index` below `sizes`: one for all, or one for each of the last axis. Constants are right."""
        bound = self.lookup_binding(index) if isinstance(index, relax.Var) else index
        if isinstance(bound, tvm.ir.GenericConst) or not calls.dtype_of(index).startswith("int"):
            return index
        return self.builder_.emit_te(_inside, index, list(sizes), primfunc_name_hint="keep_inside")


def _inside(index: Any, sizes: Sequence[Any]) -> Any:
    """Of each index, counted from the end where it is negative, the nearest place that there is."""

    def place(*at: Any) -> Any:
        value, size = index(*at), sizes[-1]
        for number, each in enumerate(sizes[:-1]):
            size = tirx.Select(at[-1] == number, each, size)
        size = tirx.Cast(index.dtype, size)
        counted = tirx.Select(value < 0, value + size, value)
        return te.max(te.min(counted, size - 1), tirx.const(0, index.dtype))

    return te.compute(index.shape, place, name="inside")
