"""The first few of a long row: most of it is only compared, a block at a time, with the worst of the few.

A number that is better is put into the few at its place, all of which takes two instructions a vector: behind
it each becomes the one before.
"""

from __future__ import annotations

from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.packed_rows import LAST, Sort
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES, each_vector
from neo_magics.compiler.machine import Machine

VECTORS = 4  # of a block


def top_rows(s: Sort, machine: Machine) -> tirx.PrimFunc:
    """The kernel (x, values, places). Threads share the rows."""
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("top_rows")
        T.func_attr(ATTRIBUTES)
        x, *outputs = s.declare()
        with T.sblock("root"), T.parallel(0, s.rows) as row:
            body = _Row(s, row, machine.lanes)
            body.run(x)
            with T.serial(0, s.kept) as k:
                s.store(body.best[1 + k], x, tuple(outputs), row, k)
    return builder.get()


class _Row:
    """The kernel's body for one row; `best` holds a number before all others, and then the few so far."""

    def __init__(self, s: Sort, row: Any, lanes: int) -> None:
        self.s, self.row, self.lanes = s, row, lanes
        self.wide = max(lanes // 2, 2)
        self.whole = -(-s.kept // self.wide) * self.wide
        self.best = T.alloc_buffer((1 + self.whole,), "int64", scope="local")
        self.worst = T.alloc_buffer((1,), "int32", scope="local")
        self.lowest = T.alloc_buffer((lanes,), "int32", scope="local")

    def run(self, x: Any) -> None:
        T.buffer_store(self.best, tirx.min_value("int64"), [0])
        with T.serial(0, self.whole) as k:
            T.buffer_store(self.best, LAST, [1 + k])
        T.buffer_store(self.worst, tirx.max_value("int32"), [0])
        step = VECTORS * self.lanes
        with T.serial(0, self.s.width // step) as block:
            self._block(x, block * step, step)
        if self.s.width % step:
            self._block(x, self.s.width // step * step, self.s.width % step)

    def _block(self, x: Any, begin: Any, size: int) -> None:
        """`size` numbers from `begin` on; once there are enough, a key equal to the worst one is too late."""
        self._find_lowest(x, begin, size)
        wanted = tirx.any(self.lowest[0] < self.worst[0], self.best[self.s.kept] == LAST)
        with T.If(wanted), T.Then(), T.serial(0, size) as k:
            item = self.s.packed(x[self.row, begin + k], begin + k)
            with T.If(item < self.best[self.s.kept]), T.Then():
                self._insert(item)

    def _find_lowest(self, x: Any, begin: Any, size: int) -> None:
        with T.vectorized(0, self.lanes) as v:
            T.buffer_store(self.lowest, tirx.max_value("int32"), [v])

        def take(j: Any, lane: Any) -> None:
            key = self.s.key(x[self.row, begin + j])
            T.buffer_store(self.lowest, tirx.min(self.lowest[lane], key), [lane])

        each_vector(size, self.lanes, take)
        half = self.lanes
        while half > 1:
            half //= 2
            with T.vectorized(0, half) as v:
                T.buffer_store(self.lowest, tirx.min(self.lowest[v], self.lowest[half + v]), [v])

    def _insert(self, item: Any) -> None:
        """From the last vector on, so that each still finds what was before it."""
        number = T.alloc_buffer((1,), "int64", scope="local")
        T.buffer_store(number, item, [0])
        moved = T.alloc_buffer((self.wide,), "int64", scope="local")
        with T.serial(0, self.whole // self.wide) as part:
            first = 1 + self.whole - (part + 1) * self.wide
            with T.vectorized(0, self.wide) as v:
                before = tirx.max(number[0], self.best[first - 1 + v])
                T.buffer_store(moved, tirx.min(self.best[first + v], before), [v])
            with T.vectorized(0, self.wide) as v:
                T.buffer_store(self.best, moved[v], [first + v])
        worst = self.best[self.s.kept] >> tirx.const(32, "int64")
        T.buffer_store(self.worst, tirx.Cast("int32", worst), [0])
