"""Indices that are computed or given by the user are kept inside of the tensor that they pick from."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls

_ALONG_AN_AXIS = ("relax.gather_elements", "relax.scatter_elements")


@tvm.transform.module_pass(opt_level=0, name="KeepIndicesInside")
class KeepIndicesInside:
    """take(mode="fast") → take(mode="clip"): a token beyond the table reads its last row.

    The indices of gather_elements, scatter_elements and index_put are clamped likewise, after a negative one
    was counted from the end. The frameworks raise an error there; plain TVM reads and writes whatever lies in
    memory, and often ends the process.
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
            return tvm.ir.Call(call.op, [x, self.inside(index, size), *rest], call.attrs)
        if name == "relax.index_put":
            x, indices, *rest = call.args
            parts = zip(calls.fields_of(indices, self.lookup_binding), x.ty.shape.values, strict=True)
            inside = relax.Tuple([self.inside(index, size) for index, size in parts])
            return tvm.ir.Call(call.op, [x, inside, *rest], call.attrs)
        return call

    def inside(self, index: Any, size: Any) -> Any:
        """`index` between 0 and `size` - 1; constants are right already."""
        bound = self.lookup_binding(index) if isinstance(index, relax.Var) else index
        dtype, emit = calls.dtype_of(index), self.builder_.emit
        if (
            isinstance(bound, tvm.ir.GenericConst)
            or not dtype.startswith("int")
            or not hasattr(size, "value")
        ):
            return index
        extent = int(size)
        from_end = emit(relax.op.add(index, relax.const(extent, dtype)))
        negative = emit(relax.op.less(index, relax.const(0, dtype)))
        counted = emit(relax.op.where(negative, from_end, index))
        return emit(relax.op.clip(counted, 0, extent - 1))
