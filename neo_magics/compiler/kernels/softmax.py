"""Soft-max and its logarithm over the last dimension: one kernel, each row read from memory once.

Three walks over a row that stays in the first cache (the maximum, exponentials and their sum, the quotient),
in place of four kernels that each go through memory. The row's length may be free: whole vectors first, then
what is left, one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.arithmetic import float32
from neo_magics.compiler.kernels.extremes import larger
from neo_magics.compiler.kernels.math import exp_below
from neo_magics.compiler.kernels.normalisation import WORTH_THREADS
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES, each_vector
from neo_magics.compiler.machine import Machine


@dataclass(frozen=True)
class Softmax:
    """Of each of `rows` rows of `width` float32; both may be free. `log`: its logarithm."""

    rows: Any
    width: Any
    log: bool = False


def softmax(s: Softmax, machine: Machine) -> tirx.PrimFunc:
    """The kernel (x, out). Threads share the rows."""
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("softmax")
        T.func_attr(ATTRIBUTES)
        x, out = (T.arg(name, T.buffer((s.rows, s.width), "float32")) for name in ("x", "out"))
        known = isinstance(s.rows, int) and isinstance(s.width, int)
        threads = T.serial if known and s.rows * s.width < WORTH_THREADS else T.parallel
        # TVM asks of each kernel with one operand whether it only reshapes, and wants a block to look at.
        with T.sblock("root"), threads(0, s.rows) as row:
            _Row(s, machine.lanes, row).run(x, out)
    return builder.get()


class _Row:
    """The kernel's body for one row."""

    def __init__(self, s: Softmax, lanes: int, row: Any) -> None:
        self.s, self.lanes, self.row = s, lanes, row

    def run(self, x: Any, out: Any) -> None:
        highest = self._joined(-math.inf, larger, lambda j: x[self.row, j])

        def power(j: Any) -> Any:
            value = exp_below(x[self.row, j] - highest[0])
            if self.s.log:
                return value
            T.buffer_store(out, value, [self.row, j])
            return out[self.row, j]

        total = self._joined(0.0, lambda a, b: a + b, power)
        scale = T.alloc_buffer((1,), "float32", scope="local")
        T.buffer_store(scale, tirx.log(total[0]) + highest[0] if self.s.log else float32(1) / total[0], [0])

        def store(j: Any, _lane: Any) -> None:
            value = x[self.row, j] - scale[0] if self.s.log else out[self.row, j] * scale[0]
            T.buffer_store(out, value, [self.row, j])

        each_vector(self.s.width, self.lanes, store)

    def _joined(self, start: float, join: Callable[[Any, Any], Any], read: Callable[[Any], Any]) -> Any:
        """A vector whose first element joins read(place) of the whole row."""
        partial = T.alloc_buffer((self.lanes,), "float32", scope="local")
        with T.vectorized(0, self.lanes) as v:
            T.buffer_store(partial, float32(start), [v])

        def take(j: Any, lane: Any) -> None:
            T.buffer_store(partial, join(partial[lane], read(j)), [lane])

        each_vector(self.s.width, self.lanes, take)
        half = self.lanes
        while half > 1:
            half //= 2
            with T.vectorized(0, half) as v:
                T.buffer_store(partial, join(partial[v], partial[half + v]), [v])
        return partial
