"""Sorting many short rows: each lane of a vector sorts a row of its own, with a minimum and a maximum.

All of a row by Batcher's merge exchange (Knuth, "The Art of Computer Programming" 3, algorithm 5.2.2M), which
takes any length; a few of it by insertion into the few.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.normalisation import WORTH_THREADS
from neo_magics.compiler.kernels.packed_rows import LAST, Sort
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES
from neo_magics.compiler.machine import Machine

FEW = 16  # results that insertion finds faster than a sort of the whole row


def sort_lanes(s: Sort, machine: Machine) -> tirx.PrimFunc:
    """The kernel (x, values, places). Threads share groups of rows; the last group repeats its last row."""
    lanes = max(machine.lanes // 2, 2)  # of 64 bits
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("sort_rows")
        T.func_attr(ATTRIBUTES)
        x, *outputs = s.declare()
        small = isinstance(s.rows, int) and s.rows * s.width < WORTH_THREADS // 4
        with (
            T.sblock("root"),
            (T.serial if small else T.parallel)(0, tirx.floordiv(s.rows + lanes - 1, lanes)) as group,
        ):
            body = _Lanes(s, lanes, group)
            items = body.few(x) if s.kept <= FEW and s.kept < s.width else body.all(x)
            body.store(items, x, tuple(outputs))
    return builder.get()


class _Lanes:
    """The kernel's body for `lanes` rows from row `group` · lanes on."""

    def __init__(self, s: Sort, lanes: int, group: Any) -> None:
        self.s, self.lanes, self.first = s, lanes, group * lanes

    def read(self, x: Any, j: Any, lane: Any) -> Any:
        row = tirx.min(self.first + lane, self.s.rows - 1)
        return self.s.packed(x[row, j], j)

    def all(self, x: Any) -> Any:
        """[width, lanes], sorted."""
        items = T.alloc_buffer((self.s.width, self.lanes), "int64")
        with T.serial(0, self.s.width) as j, T.vectorized(0, self.lanes) as v:
            T.buffer_store(items, self.read(x, j, v), [j, v])
        for step, first, apart in exchanges(self.s.width):
            ends = self.s.width - apart  # places below are compared with those `apart` above
            with T.serial(0, (ends - first + 2 * step - 1) // (2 * step)) as block:
                begin = first + block * (2 * step)
                with T.serial(0, tirx.min(step, ends - begin)) as k:
                    self.exchange(items, begin + k, apart)
        return items

    def exchange(self, items: Any, place: Any, apart: int) -> None:
        low, high = (T.alloc_buffer((self.lanes,), "int64", scope="local") for _ in range(2))
        with T.vectorized(0, self.lanes) as v:
            T.buffer_store(low, tirx.min(items[place, v], items[place + apart, v]), [v])
        with T.vectorized(0, self.lanes) as v:
            T.buffer_store(high, tirx.max(items[place, v], items[place + apart, v]), [v])
        with T.vectorized(0, self.lanes) as v:
            T.buffer_store(items, low[v], [place, v])
        with T.vectorized(0, self.lanes) as v:
            T.buffer_store(items, high[v], [place + apart, v])

    def few(self, x: Any) -> Any:
        """[kept, lanes]: each number of a row moves those behind it on by one."""
        items = T.alloc_buffer((self.s.kept, self.lanes), "int64", scope="local")
        with T.serial(0, self.s.kept) as k, T.vectorized(0, self.lanes) as v:
            T.buffer_store(items, LAST, [k, v])
        moved, behind = (T.alloc_buffer((self.lanes,), "int64", scope="local") for _ in range(2))
        with T.serial(0, self.s.width) as j:
            with T.vectorized(0, self.lanes) as v:
                T.buffer_store(moved, self.read(x, j, v), [v])
            with T.unroll(0, self.s.kept) as k:
                with T.vectorized(0, self.lanes) as v:
                    T.buffer_store(behind, tirx.max(items[k, v], moved[v]), [v])
                with T.vectorized(0, self.lanes) as v:
                    T.buffer_store(items, tirx.min(items[k, v], moved[v]), [k, v])
                with T.vectorized(0, self.lanes) as v:
                    T.buffer_store(moved, behind[v], [v])
        return items

    def store(self, items: Any, x: Any, outputs: tuple[Any, Any]) -> None:
        with T.serial(0, self.lanes) as lane:
            row = self.first + lane
            with T.If(row < self.s.rows), T.Then(), T.serial(0, self.s.kept) as k:
                self.s.store(items[k, lane], x, outputs, row, k)


def exchanges(width: int) -> Iterator[tuple[int, int, int]]:
    """The rounds that sort `width` numbers: (step, first, apart).

    In each, the places i from `first` on that lie in every second run of `step` places are compared with
    i + apart.
    """
    most = 1 << max((width - 1).bit_length() - 1, 0)
    step = most if width > 1 else 0
    while step:
        further, first, apart = most, 0, step
        while True:
            if apart < width - first:
                yield step, first, apart
            if further == step:
                break
            first, apart, further = step, further - step, further // 2
        step //= 2
