"""A border of zeros before a convolution is the convolution's own padding."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls


@tvm.transform.module_pass(opt_level=0, name="AbsorbPadding")
class AbsorbPadding:
    """conv2d(pad(x, zeros), w) → conv2d(x, w) with as much more padding, where only the image is padded.

    Causal convolutions of sound are written so, and "same" that is one pixel more at the end. The
    kernel makes the padded copy then, a strip at a time in the cache.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; borders that nothing reads any more are left to dead code elimination."""
        return calls.rewrite_entry(_Absorber(module), module)


@mutator
class _Absorber(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) != "relax.nn.conv2d" or call.attrs.data_layout != "NCHW":
            return call
        value: Any = self.lookup_binding(call.args[0]) if isinstance(call.args[0], relax.Var) else None
        border = _border(value)
        if border is None:
            return call
        attrs = call.attrs
        padding = [own + more for own, more in zip(calls.numbers(attrs.padding), border, strict=True)]
        return relax.op.nn.conv2d(
            value.args[0],
            call.args[1],
            strides=calls.numbers(attrs.strides),
            padding=padding,
            dilation=calls.numbers(attrs.dilation),
            groups=int(attrs.groups),
            data_layout=attrs.data_layout,
            kernel_layout=attrs.kernel_layout,
            out_layout=attrs.out_layout,
        )


def _border(value: Any) -> tuple[int, ...] | None:
    """(top, left, bottom, right) of a border of zeros around images N C H W, else None."""
    if calls.name_of(value) != "relax.nn.pad" or value.attrs.pad_mode != "constant":
        return None
    widths = calls.numbers(value.attrs.pad_width)
    if len(widths) != 8 or any(widths[:4]) or min(widths) < 0 or float(value.attrs.pad_value) != 0:
        return None
    top, bottom, left, right = widths[4:]
    return top, left, bottom, right
