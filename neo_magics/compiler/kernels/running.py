"""Running sums, products and extremes along an axis: one walk, side by side for whatever lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.normalisation import WORTH_THREADS
from neo_magics.compiler.kernels.order import BITS, key_of
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES

SUM, PRODUCT, MAXIMUM, MINIMUM = "sum", "product", "maximum", "minimum"
_SIDE_BY_SIDE = (
    4  # vectors, or rows where nothing lies beside the axis: their sums do not wait for each other
)


@dataclass(frozen=True)
class Running:
    """`kind` over the middle of [outer, size, inner]; outer and size may be free.

    `exclusive`: of what is before each place.
    """

    kind: str
    outer: Any
    size: Any
    inner: int
    dtype: str
    result: str
    exclusive: bool = False


def running(r: Running, lanes: int) -> tirx.PrimFunc:
    """The kernel (x, out) for sums and products, (x, out, places as int64) for extremes."""
    extreme = r.kind in (MAXIMUM, MINIMUM)
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name(f"running_{r.kind}")
        T.func_attr(ATTRIBUTES)
        shape = (r.outer, r.size, r.inner)
        dtypes = {"x": r.dtype, "out": r.result, **({"places": "int64"} if extreme else {})}
        x, *outputs = (T.arg(name, T.buffer(shape, dtype)) for name, dtype in dtypes.items())
        known = isinstance(r.outer, int) and isinstance(r.size, int)
        small = known and r.outer * r.size * r.inner < WORTH_THREADS
        rows, wide = _piece(r, lanes)
        across = -(-r.inner // wide)
        with T.sblock("root"), (T.serial if small else T.parallel)(0, r.outer // rows * across) as item:
            body = _Piece(r, item // across * rows, item % across * wide, rows, wide)
            (body.extremes if extreme else body.sums)(x, *outputs)
    return builder.get()


def _piece(r: Running, lanes: int) -> tuple[int, int]:
    """(rows, lanes) that one item takes: a divisor of the rows, and a width beside the axis."""
    if r.inner > 1:
        return 1, min(r.inner, _SIDE_BY_SIDE * lanes)
    return _SIDE_BY_SIDE if isinstance(r.outer, int) and r.outer % _SIDE_BY_SIDE == 0 else 1, 1


class _Piece:
    """The kernel's body for some rows and lanes. A last piece that is not whole begins earlier."""

    def __init__(self, r: Running, row: Any, column: Any, rows: int, lanes: int) -> None:
        self.r, self.row, self.rows, self.lanes = r, row, rows, lanes
        self.column = tirx.min(column, r.inner - lanes) if r.inner % lanes else column

    def state(self, dtype: str, start: Any) -> Any:
        state = T.alloc_buffer((self.rows * self.lanes,), dtype, scope="local")
        self.each(lambda lane, _row, _column: T.buffer_store(state, start, [lane]))
        return state

    def each(self, do: Callable[[Any, Any, Any], None]) -> None:
        """do(place in the state, row, column) for all, at once."""
        with ExitStack() as loops:
            row = loops.enter_context(T.unroll(0, self.rows))
            lane = loops.enter_context(T.vectorized(0, self.lanes)) if self.lanes > 1 else 0
            do(row * self.lanes + lane, self.row + row, self.column + lane)

    def sums(self, x: Any, out: Any) -> None:
        total = self.state(self.r.result, tirx.const(0 if self.r.kind == SUM else 1, self.r.result))

        def step(k: Any, lane: Any, row: Any, column: Any) -> None:
            before, value = total[lane], tirx.Cast(self.r.result, x[row, k, column])
            after = before + value if self.r.kind == SUM else before * value
            if self.r.exclusive:
                T.buffer_store(out, before, [row, k, column])
            T.buffer_store(total, after, [lane])
            if not self.r.exclusive:
                T.buffer_store(out, total[lane], [row, k, column])

        with T.serial(0, self.r.size) as k:
            self.each(lambda lane, row, column: step(k, lane, row, column))

    def extremes(self, x: Any, out: Any, places: Any) -> None:
        """A NaN stays; of equal ones the last counts."""
        largest = self.r.kind == MAXIMUM
        key_dtype = f"int{BITS.get(self.r.dtype, 0)}" if self.r.dtype in BITS else self.r.dtype
        worst = tirx.min_value(key_dtype) if largest else tirx.max_value(key_dtype)
        best, value = self.state(key_dtype, worst), self.state(self.r.dtype, tirx.const(0, self.r.dtype))
        place = self.state("int64", tirx.const(0, "int64"))

        def step(k: Any, lane: Any, row: Any, column: Any) -> None:
            key = key_of(x[row, k, column], nan_first=not largest)
            better = key >= best[lane] if largest else key <= best[lane]
            T.buffer_store(value, tirx.Select(better, x[row, k, column], value[lane]), [lane])
            T.buffer_store(place, tirx.Select(better, tirx.Cast("int64", k), place[lane]), [lane])
            T.buffer_store(best, tirx.max(best[lane], key) if largest else tirx.min(best[lane], key), [lane])
            T.buffer_store(out, value[lane], [row, k, column])
            T.buffer_store(places, place[lane], [row, k, column])

        with T.serial(0, self.r.size) as k:
            self.each(lambda lane, row, column: step(k, lane, row, column))
