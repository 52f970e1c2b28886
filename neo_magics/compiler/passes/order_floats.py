"""Floats are sorted, and their largest found, by whole numbers in the same order, so that NaN has a place."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.order import BITS, order_key
from neo_magics.compiler.passes import calls


@tvm.transform.module_pass(opt_level=0, name="OrderFloats")
class OrderFloats:
    """argsort, topk, sort, argmax, argmin of floats → the same of `order_key`, the values gathered.

    TVM compares floats, where every answer with NaN is no: a sort is in no order then, and the largest is
    what came first. As in PyTorch and NumPy, NaN is larger than infinity, and both extremes of a row are its
    first NaN.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return calls.rewrite_entry(_Rewriter(module), module)


@mutator
class _Rewriter(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        rewrite = _REWRITES.get(calls.name_of(call))
        if rewrite is None or not calls.dtype_of(call.args[0]).startswith(("float", "bfloat")):
            return call
        return rewrite(self.builder_, call)


def _key(builder: Any, x: Any, *, nan_first: bool = False) -> Any:
    if calls.dtype_of(x) not in BITS:
        x = builder.emit(relax.op.astype(x, "float32"))
    return builder.emit_te(order_key, x, nan_first=nan_first, primfunc_name_hint="order_key")


def _argsort(builder: Any, call: Any) -> Any:
    key, attrs = _key(builder, call.args[0]), call.attrs
    return relax.op.argsort(key, int(attrs.axis), bool(attrs.descending), str(attrs.dtype))


def _sort(builder: Any, call: Any) -> Any:
    x, axis = call.args[0], int(call.attrs.axis)
    order = relax.op.argsort(_key(builder, x), axis, bool(call.attrs.descending), "int64")
    return relax.op.gather_elements(x, builder.emit(order), axis % x.ty.ndim)


def _topk(builder: Any, call: Any) -> Any:
    x, attrs = call.args[0], call.attrs
    axis, kind = int(attrs.axis) % x.ty.ndim, str(attrs.ret_type)
    places = builder.emit(
        relax.op.topk(_key(builder, x), int(attrs.k), axis, "indices", bool(attrs.largest), str(attrs.dtype))
    )
    if kind == "indices":
        return places
    values = relax.op.gather_elements(x, places, axis)
    return values if kind == "values" else relax.Tuple([builder.emit(values), places])


def _extreme(builder: Any, call: Any) -> Any:
    key = _key(builder, call.args[0], nan_first=calls.name_of(call) == "relax.argmin")
    return tvm.ir.Call(call.op, [key, *call.args[1:]], call.attrs)


_REWRITES = {
    "relax.argsort": _argsort,
    "relax.sort": _sort,
    "relax.topk": _topk,
    "relax.argmax": _extreme,
    "relax.argmin": _extreme,
}
