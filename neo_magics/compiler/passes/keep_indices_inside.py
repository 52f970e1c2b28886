"""Indices that are computed or given by the user are kept inside of the tensor that they pick from."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls


@tvm.transform.module_pass(opt_level=0, name="KeepIndicesInside")
class KeepIndicesInside:
    """take(mode="fast") → take(mode="clip"): a token beyond the table reads its last row.

    The frameworks raise an error there; plain TVM reads whatever lies in memory, and often ends the process.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Rewriter(module), module)


@mutator
class _Rewriter(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.take" or isinstance(call.args[1], tvm.ir.GenericConst):
            return call
        axis = call.attrs.axis
        return relax.op.take(call.args[0], call.args[1], None if axis is None else int(axis), mode="clip")
