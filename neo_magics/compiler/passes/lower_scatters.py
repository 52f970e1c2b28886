"""Whole rows that are added where indices say become a kernel of our own."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import mutator

from neo_magics.compiler.kernels.row_sums import Additions, add_rows
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.for_machine import ForMachine, RewritesMain

_ALIKE = ("relax.broadcast_to", "relax.reshape", "relax.expand_dims")


@mutator
class _Lowerer(ForMachine):
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        if calls.name_of(call) != "relax.scatter_elements" or str(call.attrs.reduction) != "add":
            return call
        x, index, source = call.args
        shape, count = calls.shape_of(x), (calls.shape_of(source) or (None,))[0]
        width = calls.product(shape[1:]) if shape else None
        if not shape or int(call.attrs.axis) % len(shape) or not isinstance(width, int) or width < 1:
            return call
        places = self._places(index, count)
        if places is None or not calls.has_shape(source, (count, *shape[1:])):
            return call
        flat = [shape[0], width]
        rows, many = (calls.told_size(size, name) for size, name in ((shape[0], "rows"), (count, "count")))
        added = Additions(rows, width, many, calls.dtype_of(x), calls.dtype_of(index))
        kernel = self.builder_.add_func(add_rows(added, self.machine.cores), "add_rows")
        operands = [
            self.builder_.emit(relax.op.reshape(x, flat)),
            places,
            self.builder_.emit(relax.op.reshape(source, [count, width])),
        ]
        made = self.builder_.emit(relax.call_tir(kernel, operands, relax.TensorType(flat, added.dtype)))
        return relax.op.reshape(made, list(shape))

    def _places(self, index: Any, count: Any) -> Any | None:
        """One index for each row, [count], of which `index` is a broadcast; None where it is none."""
        while not calls.has_shape(index, (count,)):
            made: Any = self.lookup_binding(index) if isinstance(index, relax.Var) else None
            if calls.name_of(made) not in _ALIKE:
                return None
            index = made.args[0]
            shape = calls.shape_of(index) or ()
            rest = calls.product(shape[1:])
            if not shape or not calls.same_size(shape[0], count) or not isinstance(rest, int) or rest != 1:
                return None
        return index


@tvm.transform.module_pass(opt_level=0, name="LowerScatters")
class LowerScatters(RewritesMain):
    """scatter_elements(x, broadcast_to(one index a row), source, axis 0, "add") → kernels.row_sums.add_rows.

    That is how graph networks add up messages. The sizes behind the first axis must be known.
    """

    rewriter = _Lowerer
