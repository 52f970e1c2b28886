"""Attention of a few queries, as a decoder's step has them, straight from its cache of keys and values.

Each query goes over all keys, whose elements fill the vectors; with so few queries nothing but reading keys
and values counts. They may lie in several parts, the cache and what the step adds to it: what a model
concatenates is read where it lies and never copied (the idea of PagedAttention, Kwon et al. 2023).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels import OPAQUE
from neo_magics.compiler.kernels.attention_form import (
    LOWEST,
    Attention,
    Index,
    Operand,
    at,
    local,
    masked,
    number,
    product,
    unflatten,
)
from neo_magics.compiler.kernels.extremes import larger
from neo_magics.compiler.kernels.math import exp_below
from neo_magics.compiler.kernels.tiles import divisors
from neo_magics.compiler.machine import Machine

MOST_KEYS = 8  # at once, of each query
WORTH_THREADS = 16 * 1024  # elements of the keys; below, one thread is faster


@dataclass(frozen=True)
class Part:
    """Some of the keys and their values, one after the other from key `begin` of all."""

    begin: Any
    rows: Any
    k: Operand
    v: Operand


def attention_of_rows(
    a: Attention, parts: Sequence[Part], machine: Machine, *, free: Sequence[tirx.Var] = ()
) -> tirx.PrimFunc:
    """The kernel (q, k of each part…, v of each part…, masks…, free…, out). Threads share the groups.

    `free` are the variables of free lengths, which it is told.
    """
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("attention")
        T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True})
        stored = [*(part.k for part in parts), *(part.v for part in parts)]
        operands = [a.q, *stored, *(mask.operand for mask in a.masks)]
        q, *rest = (T.arg(f"a{n}", T.buffer(o.shape, o.dtype)) for n, o in enumerate(operands))
        for var in free:
            T.arg(var.name, var)
        out = T.arg("out", T.buffer(a.out.shape, a.out.dtype))
        keys, values, masks = rest[: len(parts)], rest[len(parts) : 2 * len(parts)], rest[2 * len(parts) :]
        groups = product(a.groups)
        known = isinstance(groups, int) and isinstance(a.keys, int)
        small = known and groups * a.keys * a.depth < WORTH_THREADS
        with (T.serial if small else T.parallel)(0, groups) as item:
            body = _Rows(a, parts, machine, unflatten(item, a.groups))
            scores = body.scores(body.load_queries(q), keys, masks)
            body.values(scores, body.exponentials(scores), values, out)
    return builder.get()


class _Rows:
    """The parts of the kernel for one group."""

    def __init__(self, a: Attention, parts: Sequence[Part], machine: Machine, group: Index) -> None:
        self.a, self.parts, self.group = a, parts, group
        self.lanes, self.sums = machine.lanes, machine.accumulators
        self.padded = (a.keys + self.lanes - 1) // self.lanes * self.lanes

    def load_queries(self, q: Any) -> Any:
        """scale · q, queries × depth."""
        scaled = local((self.a.queries, self.a.depth))
        with T.serial(0, self.a.queries) as r, T.serial(0, self.a.depth) as d:
            value = at(q, self.a.q.place(self.group, r, d))
            T.buffer_store(scaled, value * number(self.a.scale), [r, d])
        return scaled

    def scores(self, scaled: Any, keys: Sequence[Any], masks: Sequence[Any]) -> Any:
        """queries × keys of masked scores, filled up to whole vectors with -∞."""
        scores = local((self.a.queries, self.padded))
        if not (isinstance(self.padded, int) and self.padded == self.a.keys):
            with T.serial(0, self.a.queries) as r, T.vectorized(0, self.lanes) as x:
                T.buffer_store(scores, number(-math.inf), [r, self.padded - self.lanes + x])
        step = max(1, min(MOST_KEYS, self.sums // self.a.queries))
        for part, buffer in zip(self.parts, keys, strict=True):

            def tile(first: Any, count: int, part: Part = part, buffer: Any = buffer) -> None:
                sums = self._products(scaled, buffer, part.k, first, count)
                with T.unroll(0, count) as j, T.unroll(0, self.a.queries) as r:
                    key = part.begin + first + j
                    score = at(sums, [j * self.a.queries + r, 0])
                    T.buffer_store(scores, masked(self.a, score, masks, self.group, r, key), [r, key])

            _by_tiles(part.rows, step, tile)
        return scores

    def _products(self, scaled: Any, keys: Any, k: Operand, first: Any, count: int) -> Any:
        """(keys × queries) × lanes, whose first elements are the products of `count` keys and each query."""
        a, lanes = self.a, self.lanes
        sums = local((count * a.queries, lanes))
        with T.unroll(0, count * a.queries) as n, T.vectorized(0, lanes) as x:
            T.buffer_store(sums, number(0), [n, x])

        def add(begin: Any, width: int) -> None:
            with T.unroll(0, count) as j, T.unroll(0, a.queries) as r, T.vectorized(0, width) as x:
                spot = [j * a.queries + r, x]
                key = at(keys, k.place(self.group, first + j, begin + x))
                T.buffer_store(sums, at(sums, spot) + key * at(scaled, [r, begin + x]), spot)

        _by_vectors(a.depth, lanes, add)
        half = lanes
        while half > 1:
            half //= 2
            with T.unroll(0, count * a.queries) as n, T.vectorized(0, half) as x:
                T.buffer_store(sums, at(sums, [n, x]) + at(sums, [n, half + x]), [n, x])
        return sums

    def exponentials(self, scores: Any) -> Any:
        """exp(score - highest) in place; returns 1 / the sum of each query."""
        inverse = local((self.a.queries,))
        lowest = LOWEST if self.a.safe else -math.inf
        with T.serial(0, self.a.queries) as r:
            highest = self._reduced(lowest, larger, lambda place: at(scores, [r, place]))

            def powered(place: Any) -> Any:
                T.buffer_store(scores, exp_below(at(scores, [r, place]) - at(highest, [0])), [r, place])
                return at(scores, [r, place])

            total = at(self._reduced(0.0, lambda x, y: x + y, powered), [0])
            value = number(1) / total
            if self.a.safe:
                value = tirx.Select(total == number(0), number(0), value)
            T.buffer_store(inverse, value, [r])
        return inverse

    def _reduced(self, start: float, join: Callable[[Any, Any], Any], read: Callable[[Any], Any]) -> Any:
        """A vector whose first element joins read(place) of all places of a row of scores."""
        vector = local((self.lanes,))
        with T.vectorized(0, self.lanes) as x:
            T.buffer_store(vector, number(start), [x])
        with T.serial(0, self.padded // self.lanes) as part, T.vectorized(0, self.lanes) as x:
            T.buffer_store(vector, join(at(vector, [x]), read(part * self.lanes + x)), [x])
        half = self.lanes
        while half > 1:
            half //= 2
            with T.vectorized(0, half) as x:
                T.buffer_store(vector, join(at(vector, [x]), at(vector, [half + x])), [x])
        return vector

    def values(self, scores: Any, inverse: Any, values: Sequence[Any], out: Any) -> None:
        """Weights times values: queries × vectors of the result in registers over all keys."""
        whole, rest = divmod(self.a.width, self.lanes)
        room = max(1, self.sums // self.a.queries)
        vectors = max(count for count in divisors(whole) if count <= room)
        if whole:
            with T.serial(0, whole // vectors) as part:
                self._columns(scores, inverse, values, out, part * vectors * self.lanes, vectors, self.lanes)
        if rest:
            self._columns(scores, inverse, values, out, whole * self.lanes, 1, rest)

    def _columns(
        self, scores: Any, inverse: Any, values: Sequence[Any], out: Any, first: Any, vectors: int, lane: int
    ) -> None:
        """`vectors` × `lane` columns of the result, from column `first`."""
        a = self.a
        sums = local((a.queries, vectors * lane))
        with T.unroll(0, a.queries) as r, T.unroll(0, vectors) as c, T.vectorized(0, lane) as x:
            T.buffer_store(sums, number(0), [r, c * lane + x])
        for part, buffer in zip(self.parts, values, strict=True):
            with (
                T.serial(0, part.rows) as j,
                T.unroll(0, a.queries) as r,
                T.unroll(0, vectors) as c,
                T.vectorized(0, lane) as x,
            ):
                column = c * lane + x
                value = at(buffer, part.v.place(self.group, j, first + column))
                added = at(scores, [r, part.begin + j]) * value
                T.buffer_store(sums, at(sums, [r, column]) + added, [r, column])
        with T.unroll(0, a.queries) as r, T.unroll(0, vectors) as c, T.vectorized(0, lane) as x:
            place = a.out.place(self.group, r, first + c * lane + x)
            T.buffer_store(out, at(sums, [r, c * lane + x]) * at(inverse, [r]), place)


def _by_tiles(rows: Any, step: int, tile: Callable[[Any, int], None]) -> None:
    """tile(first, count) for whole tiles of `rows`, and for the rest, one by one where that is free."""
    whole = rows // step
    if not isinstance(rows, int):
        with T.serial(0, whole) as place:
            tile(place * step, step)
        with T.serial(0, rows % step) as rest:
            tile(whole * step + rest, 1)
        return
    if whole:
        with T.serial(0, whole) as place:
            tile(place * step, step)
    if rows % step:
        tile(whole * step, rows % step)


def _by_vectors(size: int, lanes: int, each: Callable[[Any, int], None]) -> None:
    """each(first, width) for whole vectors of `size` elements, and for the rest."""
    whole = size // lanes
    if whole:
        with T.serial(0, whole) as part:
            each(part * lanes, lanes)
    if size % lanes:
        each(whole * lanes, size % lanes)
