"""Running sums and products become kernels of our own."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import mutator

from neo_magics.compiler.kernels.running import PRODUCT, SUM, Running, running
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.for_machine import ForMachine, RewritesMain

_KINDS = {"relax.cumsum": SUM, "relax.cumprod": PRODUCT}
_NUMBERS = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


@mutator
class _Lowerer(ForMachine):
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        kind = _KINDS.get(calls.name_of(call))
        shape = calls.shape_of(call) if kind else None
        if kind is None or not shape or call.attrs.axis is None or 0 in shape:
            return call
        axis, dtypes = int(call.attrs.axis) % len(shape), (calls.dtype_of(call.args[0]), calls.dtype_of(call))
        inner = calls.product(shape[axis + 1 :])
        if not isinstance(inner, int) or not set(dtypes) <= set(_NUMBERS) or dtypes[1] == "bool":
            return call
        flat = [calls.product(shape[:axis]), shape[axis], inner]
        outer, size = (
            calls.told_size(part, name) for part, name in zip(flat, ("outer", "size"), strict=False)
        )
        scan = Running(kind, outer, size, inner, *dtypes, exclusive=bool(call.attrs.exclusive))
        kernel = self.builder_.add_func(running(scan, self.machine.lanes), f"running_{kind}")
        x = self.builder_.emit(relax.op.reshape(call.args[0], flat))
        made = self.builder_.emit(relax.call_tir(kernel, [x], relax.TensorType(flat, dtypes[1])))
        return relax.op.reshape(made, list(shape))


@tvm.transform.module_pass(opt_level=0, name="LowerScans")
class LowerScans(RewritesMain):
    """cumsum and cumprod along an axis → kernels.running, where the sizes behind the axis are known."""

    rewriter = _Lowerer
