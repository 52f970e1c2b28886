"""Sorts, the first few of rows, and places of extremes become kernels of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import mutator

from neo_magics.compiler.kernels.extreme_places import Extreme, extreme_places
from neo_magics.compiler.kernels.packed_rows import KEYED, Sort
from neo_magics.compiler.kernels.sort_lanes import FEW, sort_lanes
from neo_magics.compiler.kernels.sort_radix import sort_radix
from neo_magics.compiler.kernels.top_rows import top_rows
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.for_machine import ForMachine, RewritesMain

_SORTS = ("relax.sort", "relax.argsort", "relax.topk")
_EXTREMES = ("relax.argmax", "relax.argmin")
_LONGEST_IN_LANES = 512  # 32 KB of packed numbers in a register's lanes: the first cache
_LONGEST_TO_INSERT = 2048  # beyond, most of a row is better only compared, see kernels.top_rows
_MOST_INSERTED = 128  # results; beyond, sorting the row is as fast
_LONGEST = 1 << 31  # places are kept in 32 bits


@mutator
class _Lowerer(ForMachine):
    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        name = calls.name_of(call)
        if name not in (*_SORTS, *_EXTREMES) or calls.dtype_of(call.args[0]) not in KEYED:
            return call
        shape = calls.shape_of(call.args[0])
        if not shape or 0 in shape:
            return call
        return self._extreme(call, name, shape) if name in _EXTREMES else self._sorted(call, name, shape)

    def _extreme(self, call: Any, name: str, shape: Sequence[Any]) -> Any:
        axis, last = call.attrs.axis, len(shape) - 1
        whole = axis is None
        if not whole and int(axis) not in (-1, last):
            return call
        rows, width = (1, calls.product(shape)) if whole else (calls.product(shape[:-1]), shape[-1])
        x = self._shaped(call.args[0], [rows, width])
        wanted = calls.dtype_of(call)
        extreme = Extreme(
            calls.told_size(rows, "rows"),
            calls.told_size(width, "width"),
            calls.dtype_of(x),
            "max" in name,
            wanted,
        )
        kernel = self.builder_.add_func(extreme_places(extreme, self.machine), "extreme_places")
        found = self.builder_.emit(relax.call_tir(kernel, [x], relax.TensorType([rows], wanted)))
        return self._shaped(found, calls.shape_of(call) or ())

    def _sorted(self, call: Any, name: str, shape: Sequence[Any]) -> Any:
        attrs, axis = call.attrs, int(call.attrs.axis) % len(shape)
        width = shape[axis]
        if not isinstance(width, int) or width >= _LONGEST:
            return call
        kept = int(attrs.k) if name == "relax.topk" else width
        kept = width if kept < 1 else min(kept, width)
        down = bool(attrs.largest if name == "relax.topk" else attrs.descending)
        places = "int64" if name == "relax.sort" else str(attrs.dtype)
        sort = Sort(1, width, kept, calls.dtype_of(call.args[0]), down, places)
        values, found = self._along(call.args[0], axis, shape, sort)
        kind = (
            str(attrs.ret_type) if name == "relax.topk" else ("values" if name == "relax.sort" else "indices")
        )
        if kind == "both":
            return relax.Tuple([self.builder_.emit(values), self.builder_.emit(found)])
        return values if kind == "values" else found

    def _along(self, x: Any, axis: int, shape: Sequence[Any], sort: Sort) -> tuple[Any, Any]:
        """The values and the places of `sort` along an axis: that axis goes last, and back."""
        order = [*(k for k in range(len(shape)) if k != axis), axis]
        moved = order != sorted(order)
        outer = [shape[k] for k in order[:-1]]
        rows = calls.product(outer)
        x = self.builder_.emit(relax.op.permute_dims(x, order)) if moved else x
        x = self._shaped(x, [rows, sort.width])
        sort = Sort(
            calls.told_size(rows, "rows"), sort.width, sort.kept, sort.dtype, sort.descending, sort.places
        )
        kernel = self.builder_.add_func(_kernel(sort, self.machine), "sort_rows")
        types = [relax.TensorType([rows, sort.kept], dtype) for dtype in (sort.dtype, sort.places)]
        both = self.builder_.emit(relax.call_tir(kernel, [x], types))

        def back(field: int) -> Any:
            found = self._shaped(self.builder_.emit(relax.TupleGetItem(both, field)), [*outer, sort.kept])
            back_order = [order.index(k) for k in range(len(order))]
            return relax.op.permute_dims(found, back_order) if moved else found

        return back(0), back(1)

    def _shaped(self, x: Any, shape: Sequence[Any]) -> Any:
        return x if calls.has_shape(x, shape) else self.builder_.emit(relax.op.reshape(x, list(shape)))


@tvm.transform.module_pass(opt_level=0, name="LowerOrders")
class LowerOrders(RewritesMain):
    """sort, argsort and topk along a known length, argmax and argmin along the last dimension.

    Of float32 and int32. Of NaN, and of equal numbers, as OrderFloats, which takes the rest.
    """

    rewriter = _Lowerer


def _kernel(s: Sort, machine: Machine) -> tirx.PrimFunc:
    """Rows side by side where they are many or short; else the few alone, or all by digits."""
    many = not isinstance(s.rows, int) or s.rows >= machine.lanes // 4
    inserted = s.kept <= FEW // 2 and s.width <= _LONGEST_TO_INSERT
    short = s.width <= 2 * machine.lanes
    if short or (many and (inserted or s.width <= _LONGEST_IN_LANES)):
        return sort_lanes(s, machine)
    if s.kept <= _MOST_INSERTED and s.kept < s.width:
        return top_rows(s, machine)
    return sort_radix(s, machine)
