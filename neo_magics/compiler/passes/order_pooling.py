"""Average pooling and a 1×1 convolution change places where that is less work.

Pooling sums pixels and the convolution sums channels, each with factors that the other does not know, so the
result is the same in either order. Pooling first leaves the convolution fewer pixels (DenseNet's
transitions); the convolution first leaves pooling fewer channels (Inception's pooled branches).
"""

from __future__ import annotations

import math
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Uses

POOLING, CONVOLUTION = "relax.nn.avg_pool2d", "relax.nn.conv2d"
_CLEARLY = 0.9  # of the work; less is not worth other roundings


@relax.transform.function_pass(opt_level=0, name="OrderPooling")
class OrderPooling:
    """avg_pool2d(conv2d(x, w)) ↔ conv2d(avg_pool2d(x), w) for N C H W and constant 1×1 windows."""

    def transform_function(self, function: Any, module: tvm.IRModule, _context: Any) -> Any:
        """Rewrite pairs whose first operator has no other reader."""
        return _Orderer(module, Uses(function)).visit_expr(function)


@mutator
class _Orderer(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, uses: Uses) -> None:
        super().__init__(module)
        self.uses = uses

    def visit_call_(self, call: Any) -> Any:
        read = call.args[0] if calls.name_of(call) in (POOLING, CONVOLUTION) else None
        call = self.visit_expr_post_order(call)
        if read is None or not self.uses.once(read):
            return call
        first: Any = self.lookup_binding(call.args[0]) if isinstance(call.args[0], relax.Var) else None
        if {calls.name_of(first), calls.name_of(call)} != {POOLING, CONVOLUTION}:
            return call
        conv, pool = (call, first) if calls.name_of(call) == CONVOLUTION else (first, call)
        if not _is_plain(conv, pool):
            return call
        inner = self.builder_.normalize(tvm.ir.Call(call.op, [first.args[0], *call.args[1:]], call.attrs))
        swapped = self.builder_.normalize(
            tvm.ir.Call(first.op, [self.builder_.emit(inner), *first.args[1:]], first.attrs)
        )
        before, after = _work(first) + _work(self.builder_.normalize(call)), _work(inner) + _work(swapped)
        return swapped if after < _CLEARLY * before else call


def _is_plain(conv: Any, pool: Any) -> bool:
    """Whether the convolution is of single pixels, with constant weights, and all shapes are known."""
    attrs, shape = conv.attrs, calls.static_shape(conv.args[1])
    pixels = shape is not None and shape[2:] == (1, 1) and calls.constant(conv.args[1]) is not None
    layouts = (attrs.data_layout, attrs.kernel_layout, pool.attrs.layout, pool.attrs.out_layout)
    known = all(calls.static_shape(value) is not None for value in (conv, pool, conv.args[0], pool.args[0]))
    return (
        pixels
        and known
        and layouts == ("NCHW", "OIHW", "NCHW", "NCHW")
        and int(attrs.groups) == 1
        and set(calls.numbers(attrs.strides)) == {1}
        and not any(calls.numbers(attrs.padding))
    )


def _work(call: Any) -> int:
    """Multiply-adds, or the sums of a window. Only pooling and 1×1 convolutions are asked for."""
    out, taken = calls.static_shape(call) or (), calls.static_shape(call.args[0]) or ()
    if calls.name_of(call) == CONVOLUTION:
        return math.prod(out) * taken[1]
    return math.prod(out) * math.prod(calls.numbers(call.attrs.pool_size))
