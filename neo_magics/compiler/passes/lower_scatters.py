"""Whole rows that are added where indices say become a kernel of our own."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.row_sums import Additions, add_rows
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls

_ALIKE = ("relax.broadcast_to", "relax.reshape", "relax.expand_dims")


@tvm.transform.module_pass(opt_level=0, name="LowerScatters")
class LowerScatters:
    """scatter_elements(x, broadcast_to(one index a row), source, axis 0, "add") → kernels.row_sums.add_rows.

    That is how graph networks add up messages. The sizes behind the first axis must be known.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; broadcasts that nothing reads any more are left to dead code elimination."""
        return calls.rewrite_entry(_Lowerer(module, self.machine), module)


@mutator
class _Lowerer(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, machine: Machine) -> None:
        super().__init__(module)
        self.machine = machine

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
