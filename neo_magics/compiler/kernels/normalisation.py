"""Layer norm and RMS norm over the last dimension: one kernel that reads each row from memory once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels import OPAQUE
from neo_magics.compiler.kernels.arithmetic import float32
from neo_magics.compiler.machine import Machine

VECTORS = 4  # partial sums in flight
WORTH_THREADS = 16 * 1024  # elements; below, one thread is faster
ROWS = 4  # that a thread takes at once, so that few items are dealt


@dataclass(frozen=True)
class Norm:
    """(x - mean) / sqrt(variance + epsilon) · γ + β of each row; not `centred`: RMS norm, no mean, no β."""

    rows: Any
    width: int
    epsilon: float
    centred: bool = True


def norm(n: Norm, machine: Machine) -> tirx.PrimFunc:
    """The kernel (x, γ[, β], out): the mean, then the variance of what is left, out of the first cache."""
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("norm")
        T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True})
        shapes = [(n.rows, n.width), (n.width,), *[(n.width,)] * n.centred, (n.rows, n.width)]
        buffers = [T.arg(f"a{k}", T.buffer(shape, "float32")) for k, shape in enumerate(shapes)]
        small = isinstance(n.rows, int) and n.rows * n.width < WORTH_THREADS
        step = ROWS if isinstance(n.rows, int) and n.rows % ROWS == 0 else 1
        threads = T.serial if small else T.parallel
        with threads(0, tirx.floordiv(n.rows + step - 1, step)) as item, T.serial(0, step) as offset:
            _Row(n, machine.lanes, item * step + offset).run(*buffers)
    return builder.get()


class _Row:
    """The kernel's body for one row."""

    def __init__(self, n: Norm, lanes: int, row: Any) -> None:
        self.n, self.row = n, row
        self.step = VECTORS * lanes

    def run(self, x: Any, gamma: Any, *rest: Any) -> None:
        *beta, out = rest
        mean = None
        if self.n.centred:
            mean = self._sum(lambda j: x[self.row, j], float32(1 / self.n.width))
        variance = self._sum(lambda j: self._square(x, mean, j), float32(1 / self.n.width))
        scale = T.alloc_buffer((1,), "float32", scope="local")
        T.buffer_store(scale, float32(1) / T.sqrt(variance[0] + float32(self.n.epsilon)), [0])

        def store(j: Any) -> None:
            value = (x[self.row, j] - mean[0] if mean is not None else x[self.row, j]) * scale[0] * gamma[j]
            T.buffer_store(out, value + beta[0][j] if beta else value, [self.row, j])

        main = self.n.width // self.step * self.step
        if main:
            with T.serial(0, main // self.step) as part, T.vectorized(0, self.step) as v:
                store(part * self.step + v)
        if main < self.n.width:
            with T.vectorized(0, self.n.width - main) as v:
                store(main + v)

    def _square(self, x: Any, mean: Any, j: Any) -> Any:
        value = x[self.row, j] if mean is None else x[self.row, j] - mean[0]
        return value * value

    def _sum(self, read: Any, scale: Any) -> Any:
        """`scale` · the sum of read(j) over the row: by vectors, then across them."""
        step, width = self.step, self.n.width
        partial = T.alloc_buffer((step,), "float32", scope="local")
        total = T.alloc_buffer((1,), "float32", scope="local")
        with T.vectorized(0, step) as v:
            T.buffer_store(partial, float32(0), [v])
        main = width // step * step
        if main:
            with T.serial(0, main // step) as part, T.vectorized(0, step) as v:
                T.buffer_store(partial, partial[v] + read(part * step + v), [v])
        if main < width:
            with T.vectorized(0, width - main) as v:
                T.buffer_store(partial, partial[v] + read(main + v), [v])
        half = step
        while half % 2 == 0 and half > 1:
            half //= 2
            with T.vectorized(0, half) as v:
                T.buffer_store(partial, partial[v] + partial[half + v], [v])
        T.buffer_store(total, partial[0] * scale, [0])
        return total
