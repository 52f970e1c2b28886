"""Attention in one kernel: soft-max(scale · q kᵀ + masks) v, the scores never leaving the cache.

The work of one head is cut into blocks of queries, whose scores for all keys fit the second-level cache (the
idea of FlashAttention, Dao et al. 2022, without the running maximum: a processor's cache holds whole rows).
Scores are kept transposed, keys × queries, so that maximum, exponential and sum are plain vector arithmetic
over queries and nothing is summed across a vector. Operands are read where they lie, by strides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels import OPAQUE
from neo_magics.compiler.kernels.attention_form import (
    LOWEST,
    Attention,
    Index,
    at,
    local,
    masked,
    number,
    product,
    unflatten,
)
from neo_magics.compiler.kernels.extremes import larger
from neo_magics.compiler.kernels.math import exp_below
from neo_magics.compiler.kernels.tiles import attention_tile, register_tile
from neo_magics.compiler.machine import Machine

TYPICAL = 128  # what a free length is taken for where tiles are chosen


def attention(a: Attention, machine: Machine, *, free: Sequence[tirx.Var] = ()) -> tirx.PrimFunc:
    """The kernel (q, k, v, masks…, free…, out). Threads share groups × blocks of queries.

    `free` are the variables of free lengths, which it is told.
    """
    lanes = machine.lanes
    queries, keys = (size if isinstance(size, int) else TYPICAL for size in (a.queries, a.keys))
    keys, vectors = attention_tile(queries, keys, machine)
    block = vectors * lanes
    blocks = (a.queries + block - 1) // block
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("attention")
        T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True})
        operands = [a.q, a.k, a.v, *(mask.operand for mask in a.masks)]
        q, k, v, *masks = (T.arg(f"a{n}", T.buffer(o.shape, o.dtype)) for n, o in enumerate(operands))
        for var in free:
            T.arg(var.name, var)
        out = T.arg("out", T.buffer(a.out.shape, a.out.dtype))
        with T.parallel(0, product(a.groups) * blocks) as item:
            group = unflatten(item // blocks, a.groups)
            first = item % blocks * block
            body = _Block(a, machine, group, first, block, keys)
            scaled = body.load_queries(q)
            scores, highest = body.scores(scaled, k, masks)
            total = body.exponentials(scores, highest)
            body.values(scores, total, v, out)
    return builder.get()


class _Block:
    """The parts of the kernel for one block of queries of one group."""

    def __init__(
        self, a: Attention, machine: Machine, group: Index, first: Any, block: int, keys: int
    ) -> None:
        self.a, self.machine, self.group, self.first = a, machine, group, first
        self.block, self.keys, self.lanes = block, keys, machine.lanes
        self.vectors = block // machine.lanes
        self.key_tiles = (a.keys + keys - 1) // keys

    def row(self, offset: Any) -> Any:
        """The query at `offset` of the block; beyond the last one, the last one again."""
        row = self.first + offset
        return row if _is_whole(self.a.queries, self.block) else tirx.min(row, self.a.queries - 1)

    def load_queries(self, q: Any) -> Any:
        """scale · qᵀ, depth × block: what each score multiplies is a vector of queries."""
        scaled = local((self.a.depth, self.block))
        with T.serial(0, self.block) as r, T.serial(0, self.a.depth) as d:
            value = at(q, self.a.q.place(self.group, self.row(r), d))
            T.buffer_store(scaled, value * number(self.a.scale), [d, r])
        return scaled

    def scores(self, scaled: Any, k: Any, masks: Sequence[Any]) -> tuple[Any, Any]:
        """keys × block of masked scores, and the highest of each query."""
        a, keys, lanes = self.a, self.keys, self.lanes
        scores = local((self.key_tiles * keys, self.block))
        highest = self._vector(LOWEST if a.safe else -math.inf)
        with T.serial(0, self.key_tiles) as tile:
            sums = local((keys, self.block))
            with T.unroll(0, keys) as j, T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
                T.buffer_store(sums, number(0), [j, c * lanes + x])
            with (
                T.serial(0, a.depth) as d,
                T.unroll(0, keys) as j,
                T.unroll(0, self.vectors) as c,
                T.vectorized(0, lanes) as x,
            ):
                spot = [j, c * lanes + x]
                key = at(k, a.k.place(self.group, self._key(tile, j), d))
                T.buffer_store(sums, at(sums, spot) + key * at(scaled, [d, spot[1]]), spot)
            with T.unroll(0, keys) as j, T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
                spot = [j, c * lanes + x]
                score = masked(a, at(sums, spot), masks, self.group, self.row(spot[1]), self._key(tile, j))
                T.buffer_store(scores, score, [tile * keys + j, spot[1]])
                T.buffer_store(
                    highest,
                    larger(at(highest, [spot[1]]), at(scores, [tile * keys + j, spot[1]])),
                    [spot[1]],
                )
        return scores, highest

    def _key(self, tile: Any, j: Any) -> Any:
        key = tile * self.keys + j
        return key if _is_whole(self.a.keys, self.keys) else tirx.min(key, self.a.keys - 1)

    def exponentials(self, scores: Any, highest: Any) -> Any:
        """exp(score - highest) in place; returns 1 / the sum of each query."""
        lanes = self.lanes
        total = self._vector(0.0)
        with T.serial(0, self.a.keys) as j, T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
            spot = [j, c * lanes + x]
            T.buffer_store(scores, exp_below(at(scores, spot) - at(highest, [spot[1]])), spot)
            T.buffer_store(total, at(total, [spot[1]]) + at(scores, spot), [spot[1]])
        with T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
            spot = [c * lanes + x]
            inverse = number(1) / at(total, spot)
            if self.a.safe:
                inverse = tirx.Select(at(total, spot) == number(0), number(0), inverse)
            T.buffer_store(total, inverse, spot)
        return total

    def values(self, scores: Any, inverse: Any, v: Any, out: Any) -> None:
        """Weights times values: rows × vectors of the result in registers over all keys."""
        a = self.a
        lane = math.gcd(a.width, self.lanes)
        rows, vectors = register_tile(self.block, a.width // lane, self.machine)
        with T.serial(0, self.block // rows) as i, T.serial(0, a.width // (vectors * lane)) as part:
            sums = local((rows, vectors * lane))
            with T.unroll(0, rows) as r, T.unroll(0, vectors) as c, T.vectorized(0, lane) as x:
                T.buffer_store(sums, number(0), [r, c * lane + x])
            with (
                T.serial(0, a.keys) as j,
                T.unroll(0, rows) as r,
                T.unroll(0, vectors) as c,
                T.vectorized(0, lane) as x,
            ):
                spot = [r, c * lane + x]
                value = at(v, a.v.place(self.group, j, (part * vectors + c) * lane + x))
                T.buffer_store(sums, at(sums, spot) + at(scores, [j, i * rows + r]) * value, spot)
            with T.unroll(0, rows) as r:
                offset = i * rows + r
                inside = _within(self.first + offset, a.queries, always=_is_whole(a.queries, self.block))
                with inside, T.unroll(0, vectors) as c, T.vectorized(0, lane) as x:
                    place = a.out.place(self.group, self.first + offset, (part * vectors + c) * lane + x)
                    T.buffer_store(out, at(sums, [r, c * lane + x]) * at(inverse, [offset]), place)

    def _vector(self, value: float) -> Any:
        vector = local((self.block,))
        with T.unroll(0, self.vectors) as c, T.vectorized(0, self.lanes) as x:
            T.buffer_store(vector, number(value), [c * self.lanes + x])
        return vector


def _is_whole(size: Any, step: int) -> bool:
    return isinstance(size, int) and size % step == 0


class _within:
    """`if index < size:`, left out where it always holds."""

    def __init__(self, index: Any, size: Any, *, always: bool) -> None:
        self.frames = [] if always else [T.If(index < size), T.Then()]

    def __enter__(self) -> None:
        for frame in self.frames:
            frame.__enter__()

    def __exit__(self, *error: object) -> None:
        for frame in reversed(self.frames):
            frame.__exit__(*error)
