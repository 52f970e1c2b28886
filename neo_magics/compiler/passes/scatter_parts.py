"""Elements scattered into a part of a tensor only are scattered by their places in all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax, te, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls


@tvm.transform.module_pass(opt_level=0, name="ScatterParts")
class ScatterParts:
    """scatter_elements(x, index, source), index shorter than x along another axis → one of flat places.

    TVM steps through `x` by the sizes of `index`, and so writes to wrong places: it is right only where all
    axes but the scattered and the first are of one size.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Rewriter(module), module)


@mutator
class _Rewriter(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        if calls.name_of(call) != "relax.scatter_elements":
            return call
        x, index, source = call.args
        shape, part = calls.shape_of(x), calls.shape_of(index)
        if not shape or not part or len(shape) != len(part):
            return call
        axis = int(call.attrs.axis) % len(shape)
        others = [place for place in range(len(shape)) if place != axis and (place or not axis)]
        if all(calls.same_size(shape[place], part[place]) for place in others):
            return call
        emit = self.builder_.emit
        places = self.builder_.emit_te(_flat_places, index, shape, axis, primfunc_name_hint="flat_places")
        flat = [emit(relax.op.reshape(each, [-1])) for each in (x, places, source)]
        done = emit(relax.op.scatter_elements(*flat, axis=0, reduction=str(call.attrs.reduction)))
        return relax.op.reshape(done, list(shape))


def _flat_places(index: Any, shape: Sequence[Any], axis: int) -> Any:
    """Of each index the place in the flattened tensor; negative ones count from the end, none is outside."""

    def place(*at: Any) -> Any:
        size = tirx.Cast(index.dtype, shape[axis]) if not isinstance(shape[axis], int) else shape[axis]
        chosen = index(*at)
        chosen = tirx.Select(chosen < 0, chosen + size, chosen)
        chosen = te.max(te.min(chosen, size - 1), tirx.const(0, index.dtype)).astype("int64")
        flat: Any = tirx.const(0, "int64")
        for each, length in enumerate(shape):
            flat = flat * length + (chosen if each == axis else at[each].astype("int64"))
        return flat

    return te.compute(index.shape, place, name="flat_places")
