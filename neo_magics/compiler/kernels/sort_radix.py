"""Sorting long rows by their keys' digits, the lowest first: three walks over a row of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.packed_rows import Sort
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES
from neo_magics.compiler.machine import Machine

DIGITS = ((32, 11), (43, 11), (54, 10))  # of a packed number's upper half: (lowest bit, bits)
SIGN = 1 << 9  # of the last digit, turned over: negative keys come first
SIZE = 1 << 11


def sort_radix(s: Sort, _machine: Machine) -> tirx.PrimFunc:
    """The kernel (x, values, places). Threads share the rows."""
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("sort_rows")
        T.func_attr(ATTRIBUTES)
        x, *outputs = s.declare()
        with T.sblock("root"), T.parallel(0, s.rows) as row:
            _Row(s, row).run(x, tuple(outputs))
    return builder.get()


class _Row:
    """The kernel's body for one row."""

    def __init__(self, s: Sort, row: Any) -> None:
        self.s, self.row = s, row

    def run(self, x: Any, outputs: tuple[Any, Any]) -> None:
        items, other = (T.alloc_buffer((self.s.width,), "int64") for _ in range(2))
        counts = T.alloc_buffer((len(DIGITS), SIZE), "int32")
        self.count(x, items, counts)
        self.deal(0, items, counts, lambda to, item: T.buffer_store(other, item, [to]))
        self.deal(1, other, counts, lambda to, item: T.buffer_store(items, item, [to]))

        def finish(to: Any, item: Any) -> None:
            with T.If(to < self.s.kept), T.Then():
                self.s.store(item, x, outputs, self.row, to)

        self.deal(2, items, counts, finish)

    def count(self, x: Any, items: Any, counts: Any) -> None:
        """The row, packed, and for each digit and value how many numbers have a smaller one."""
        with T.serial(0, len(DIGITS)) as d, T.serial(0, SIZE) as value:
            T.buffer_store(counts, tirx.const(0, "int32"), [d, value])
        with T.serial(0, self.s.width) as j:
            T.buffer_store(items, self.s.packed(x[self.row, j], j), [j])
            for d in range(len(DIGITS)):
                value = digit(items[j], d)
                T.buffer_store(counts, counts[d, value] + 1, [d, value])
        before, own = (T.alloc_buffer((1,), "int32", scope="local") for _ in range(2))
        for d in range(len(DIGITS)):
            T.buffer_store(before, tirx.const(0, "int32"), [0])
            with T.serial(0, SIZE) as value:
                T.buffer_store(own, counts[d, value], [0])
                T.buffer_store(counts, before[0], [d, value])
                T.buffer_store(before, before[0] + own[0], [0])

    def deal(self, d: int, items: Any, counts: Any, put: Callable[[Any, Any], None]) -> None:
        """put(place, number) for each number, in the order of digit `d`."""
        value, to = (T.alloc_buffer((1,), "int32", scope="local") for _ in range(2))
        with T.serial(0, self.s.width) as j:
            T.buffer_store(value, digit(items[j], d), [0])
            T.buffer_store(to, counts[d, value[0]], [0])
            T.buffer_store(counts, to[0] + 1, [d, value[0]])
            put(to[0], items[j])


def digit(item: Any, d: int) -> Any:
    """The d-th digit of a packed number, as int32."""
    lowest, bits = DIGITS[d]
    value = tirx.Cast("int32", (item >> tirx.const(lowest, "int64")) & tirx.const((1 << bits) - 1, "int64"))
    return tirx.bitwise_xor(value, tirx.const(SIGN, "int32")) if d == len(DIGITS) - 1 else value
