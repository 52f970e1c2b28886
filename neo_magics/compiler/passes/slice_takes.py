"""Rows that are taken by numbers which count up are slices: torch.roll, for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

MOST_RUNS = 2  # slices that are joined


@tvm.transform.module_pass(opt_level=0, name="SliceTakes")
class SliceTakes:
    """take(x, known places in one or two runs) → strided_slice, or two of them and concat.

    A slice becomes part of the kernel that reads it, a gather stays a copy of its own.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Slicer(module), module)


@mutator
class _Slicer(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.take" or call.attrs.axis is None:
            return call
        data, places = call.args[0], self._constant(call.args[1])
        shape = calls.shape_of(data)
        if places is None or shape is None:
            return call
        axis = int(call.attrs.axis) % len(shape)
        runs = _runs(places, shape[axis])
        if not 0 < len(runs) <= MOST_RUNS:
            return call
        parts = [relax.op.strided_slice(data, [axis], [first], [end], [1]) for first, end in runs]
        if len(parts) == 1:
            return parts[0]
        return relax.op.concat([self.builder_.emit(part) for part in parts], axis)

    def _constant(self, value: Any) -> Array | None:
        return calls.constant(self.lookup_binding(value) if isinstance(value, relax.Var) else value)


def _runs(places: Array, size: Any) -> list[tuple[int, int]]:
    """(first, end) of each run of places one after the other; none where that is not what they are."""
    inside = places.ndim == 1 and places.size > 0 and isinstance(size, int)
    if not inside or places.min() < 0 or places.max() >= size:
        return []
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(places, breaks)]
