"""Pictures read at given points: a point's places and weights are found once, for all channels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.arithmetic import float32
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES

ZEROS, BORDER = "zeros", "border"
_TOGETHER = 16  # points


@dataclass(frozen=True)
class Sampling:
    """Of pictures [batch, channels, *sizes] in float32 at `points` points each; the batch may be free.

    A point has as many coordinates as there are sizes, the last size's first, from -1 to 1: between the
    centres of the outermost elements if `aligned`, else between their outer edges. `linear` between the
    neighbours, or the nearest one. Beyond the picture is zero, or the `padding` repeats its border.
    """

    batch: Any
    channels: int
    sizes: tuple[int, ...]
    points: int
    linear: bool
    padding: str
    aligned: bool


def grid_sample(s: Sampling) -> tirx.PrimFunc:
    """The kernel (x [batch, channels, elements], grid [batch, rank, points], out [batch, channels, points]).

    Threads share pieces of some points; a last piece that is not whole begins earlier. A point that is not
    a number lies beyond the picture.
    """
    together = min(_TOGETHER, s.points)
    pieces = -(-s.points // together)
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("grid_sample")
        T.func_attr(ATTRIBUTES)
        x = T.arg("x", T.buffer((s.batch, s.channels, math.prod(s.sizes)), "float32"))
        grid = T.arg("grid", T.buffer((s.batch, len(s.sizes), s.points), "float32"))
        out = T.arg("out", T.buffer((s.batch, s.channels, s.points), "float32"))
        with T.sblock("root"), T.parallel(0, s.batch * pieces) as item:
            first = tirx.min(item % pieces * together, s.points - together)
            _Piece(s, item // pieces, first, together).run(x, grid, out)
    return builder.get()


class _Piece:
    """The kernel's body for some points."""

    def __init__(self, s: Sampling, picture: Any, first: Any, together: int) -> None:
        self.s, self.picture, self.first, self.together = s, picture, first, together

    def run(self, x: Any, grid: Any, out: Any) -> None:
        axes = [self._axis(grid, axis) for axis in range(len(self.s.sizes))]
        taps = list(itertools.product(*([0, 1] if self.s.linear else [0] for _ in axes)))
        places, weights = (
            T.alloc_buffer((len(taps), self.together), dtype, scope="local") for dtype in ("int32", "float32")
        )
        for number, tap in enumerate(taps):
            self._combine(axes, tap, number, places, weights)
        with T.serial(0, self.s.channels) as c, T.vectorized(0, self.together) as v:
            total: Any = None
            for number in range(len(taps)):
                part = weights[number, v] * x[self.picture, c, places[number, v]]
                total = part if total is None else total + part
            T.buffer_store(out, total, [self.picture, c, self.first + v])

    def _axis(self, grid: Any, axis: int) -> Any:
        """Along one axis [1, together]: where the points are, in elements, not far beyond the picture."""
        size, coordinate = self.s.sizes[axis], len(self.s.sizes) - 1 - axis
        place = T.alloc_buffer((1, self.together), "float32", scope="local")
        with T.vectorized(0, self.together) as v:
            point = grid[self.picture, coordinate, self.first + v]
            if self.s.aligned:
                at = (point + float32(1)) * float32((size - 1) / 2)
            else:
                at = ((point + float32(1)) * float32(size) - float32(1)) * float32(0.5)
            low, high = (0, size - 1) if self.s.padding == BORDER else (-2, size + 1)
            within = tirx.min(tirx.Select(at >= float32(low), at, float32(low)), float32(high))
            T.buffer_store(place, within if self.s.linear else tirx.nearbyint(within), [0, v])
        return place

    def _combine(
        self, axes: Sequence[Any], tap: Sequence[int], number: int, places: Any, weights: Any
    ) -> None:  # fmt: skip
        """The place of one neighbour in the flattened picture, and its weight, 0 beyond the picture."""
        with T.vectorized(0, self.together) as v:
            place, weight, inside = self._tap(axes, tap, v)
            T.buffer_store(places, place, [number, v])
        with T.vectorized(0, self.together) as v:
            place, weight, inside = self._tap(axes, tap, v)
            T.buffer_store(weights, tirx.Select(inside, weight, float32(0)), [number, v])

    def _tap(self, axes: Sequence[Any], tap: Sequence[int], v: Any) -> tuple[Any, Any, Any]:
        place, weight, inside = tirx.const(0, "int32"), float32(1), tirx.const(True, "bool")
        for at, step, size in zip(axes, tap, self.s.sizes, strict=True):
            below = tirx.floor(at[0, v])
            beyond = at[0, v] - below
            where = tirx.Cast("int32", below) + step
            weight *= beyond if step else float32(1) - beyond
            inside = tirx.all(inside, where >= 0, where < size)
            place = place * size + tirx.max(tirx.min(where, size - 1), 0)
        return place, weight, inside
