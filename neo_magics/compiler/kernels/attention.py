"""Attention in one kernel: soft-max(scale · q kᵀ + masks) v, the scores never leaving the cache.

The work of one head is cut into blocks of queries, whose scores for all keys fit the second-level cache (the
idea of FlashAttention, Dao et al. 2022, without the running maximum: a processor's cache holds whole rows).
Scores are kept transposed, keys × queries, so that maximum, exponential and sum are plain vector arithmetic
over queries and nothing is summed across a vector. Operands are read where they lie, by strides.
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
from neo_magics.compiler.kernels.math import exp_below
from neo_magics.compiler.kernels.tiles import attention_tile, register_tile
from neo_magics.compiler.machine import Machine

_LOWEST = -3.4028234663852886e38
Index = Sequence[Any]
Read = Callable[[Any, Index, Any, Any], Any]  # (buffer, group, row, column) → element


@dataclass(frozen=True)
class Operand:
    """A tensor argument and how its element (group…, row, column) is read."""

    shape: tuple[Any, ...]
    dtype: str
    place: Callable[[Index, Any, Any], list[Any]]


@dataclass(frozen=True)
class Mask:
    """Added to the scores, or, where `fill` is given, the condition under which `fill` replaces them.

    `kept`: the scores are replaced where the condition is false.
    """

    operand: Operand
    fill: float | None = None
    kept: bool = False
    per_key: bool = False  # the same for all queries


@dataclass(frozen=True)
class Attention:
    """Everything about one attention: groups are batch and heads, `out` its result's place and shape.

    `safe`: a row whose scores are all -∞ gives zeros instead of NaN, as in PyTorch's fused attention.
    """

    groups: tuple[Any, ...]
    queries: int
    keys: int
    depth: int
    width: int
    scale: float
    q: Operand
    k: Operand
    v: Operand
    masks: tuple[Mask, ...]
    out: Operand
    safe: bool


def attention(a: Attention, machine: Machine) -> tirx.PrimFunc:
    """The kernel (q, k, v, masks…, out). Threads share groups × blocks of queries."""
    lanes = machine.lanes
    keys, vectors = attention_tile(a.queries, a.keys, machine)
    block = vectors * lanes
    blocks = -(-a.queries // block)
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("attention")
        T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True})
        operands = [a.q, a.k, a.v, *(mask.operand for mask in a.masks), a.out]
        buffers = [T.arg(f"a{n}", T.buffer(o.shape, o.dtype)) for n, o in enumerate(operands)]
        q, k, v, *masks, out = buffers
        with T.parallel(0, _product(a.groups) * blocks) as item:
            group = _unflatten(item // blocks, a.groups)
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
        self.key_tiles = -(-a.keys // keys)

    def row(self, offset: Any) -> Any:
        """The query at `offset` of the block; beyond the last one, the last one again."""
        row = self.first + offset
        return row if self.a.queries % self.block == 0 else tirx.min(row, self.a.queries - 1)

    def load_queries(self, q: Any) -> Any:
        """scale · qᵀ, depth × block: what each score multiplies is a vector of queries."""
        scaled = _local((self.a.depth, self.block))
        with T.serial(0, self.block) as r, T.serial(0, self.a.depth) as d:
            value = _at(q, self.a.q.place(self.group, self.row(r), d))
            T.buffer_store(scaled, value * _float(self.a.scale), [d, r])
        return scaled

    def scores(self, scaled: Any, k: Any, masks: Sequence[Any]) -> tuple[Any, Any]:
        """keys × block of masked scores, and the highest of each query."""
        a, keys, lanes = self.a, self.keys, self.lanes
        scores = _local((self.key_tiles * keys, self.block))
        highest = self._vector(_LOWEST if a.safe else -math.inf)
        with T.serial(0, self.key_tiles) as tile:
            sums = _local((keys, self.block))
            with T.unroll(0, keys) as j, T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
                T.buffer_store(sums, _float(0), [j, c * lanes + x])
            with (
                T.serial(0, a.depth) as d,
                T.unroll(0, keys) as j,
                T.unroll(0, self.vectors) as c,
                T.vectorized(0, lanes) as x,
            ):
                at = [j, c * lanes + x]
                key = _at(k, a.k.place(self.group, self._key(tile, j), d))
                T.buffer_store(sums, _at(sums, at) + key * _at(scaled, [d, at[1]]), at)
            with T.unroll(0, keys) as j, T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
                at = [j, c * lanes + x]
                score = self._masked(_at(sums, at), masks, self._key(tile, j), at[1])
                T.buffer_store(scores, score, [tile * keys + j, at[1]])
                T.buffer_store(
                    highest, tirx.max(_at(highest, [at[1]]), _at(scores, [tile * keys + j, at[1]])), [at[1]]
                )
        return scores, highest

    def _key(self, tile: Any, j: Any) -> Any:
        key = tile * self.keys + j
        return key if self.a.keys % self.keys == 0 else tirx.min(key, self.a.keys - 1)

    def _masked(self, score: Any, masks: Sequence[Any], key: Any, offset: Any) -> Any:
        for mask, buffer in zip(self.a.masks, masks, strict=True):
            row = 0 if mask.per_key else self.row(offset)
            value = _at(buffer, mask.operand.place(self.group, row, key))
            if mask.fill is None:
                score = score + value
                continue
            condition = value if mask.operand.dtype == "bool" else value != tirx.const(0, mask.operand.dtype)
            fill = _float(mask.fill)
            score = tirx.Select(condition, *((score, fill) if mask.kept else (fill, score)))
        return score

    def exponentials(self, scores: Any, highest: Any) -> Any:
        """exp(score - highest) in place; returns 1 / the sum of each query."""
        lanes = self.lanes
        total = self._vector(0.0)
        with T.serial(0, self.a.keys) as j, T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
            at = [j, c * lanes + x]
            T.buffer_store(scores, exp_below(_at(scores, at) - _at(highest, [at[1]])), at)
            T.buffer_store(total, _at(total, [at[1]]) + _at(scores, at), [at[1]])
        with T.unroll(0, self.vectors) as c, T.vectorized(0, lanes) as x:
            at = [c * lanes + x]
            inverse = _float(1) / _at(total, at)
            if self.a.safe:
                inverse = tirx.Select(_at(total, at) == _float(0), _float(0), inverse)
            T.buffer_store(total, inverse, at)
        return total

    def values(self, scores: Any, inverse: Any, v: Any, out: Any) -> None:
        """Weights times values: rows × vectors of the result in registers over all keys."""
        a = self.a
        lane = math.gcd(a.width, self.lanes)
        rows, vectors = register_tile(self.block, a.width // lane, self.machine)
        with T.serial(0, self.block // rows) as i, T.serial(0, a.width // (vectors * lane)) as part:
            sums = _local((rows, vectors * lane))
            with T.unroll(0, rows) as r, T.unroll(0, vectors) as c, T.vectorized(0, lane) as x:
                T.buffer_store(sums, _float(0), [r, c * lane + x])
            with (
                T.serial(0, a.keys) as j,
                T.unroll(0, rows) as r,
                T.unroll(0, vectors) as c,
                T.vectorized(0, lane) as x,
            ):
                at = [r, c * lane + x]
                value = _at(v, a.v.place(self.group, j, (part * vectors + c) * lane + x))
                T.buffer_store(sums, _at(sums, at) + _at(scores, [j, i * rows + r]) * value, at)
            with T.unroll(0, rows) as r:
                offset = i * rows + r
                inside = _within(self.first + offset, a.queries, always=a.queries % self.block == 0)
                with inside, T.unroll(0, vectors) as c, T.vectorized(0, lane) as x:
                    place = a.out.place(self.group, self.first + offset, (part * vectors + c) * lane + x)
                    T.buffer_store(out, _at(sums, [r, c * lane + x]) * _at(inverse, [offset]), place)

    def _vector(self, value: float) -> Any:
        vector = _local((self.block,))
        with T.unroll(0, self.vectors) as c, T.vectorized(0, self.lanes) as x:
            T.buffer_store(vector, _float(value), [c * self.lanes + x])
        return vector


class _within:
    """`if index < size:`, left out where it always holds."""

    def __init__(self, index: Any, size: int, *, always: bool) -> None:
        self.frames = [] if always else [T.If(index < size), T.Then()]

    def __enter__(self) -> None:
        for frame in self.frames:
            frame.__enter__()

    def __exit__(self, *error: object) -> None:
        for frame in reversed(self.frames):
            frame.__exit__(*error)


def _unflatten(index: Any, sizes: Index) -> list[Any]:
    group: list[Any] = []
    for size in reversed(sizes[1:]):
        group.insert(0, index % size)
        index = index // size
    return [index, *group] if sizes else []


def _product(sizes: Index) -> Any:
    total: Any = 1
    for size in sizes:
        total = total * size
    return total


def _local(shape: tuple[int, ...]) -> Any:
    return T.alloc_buffer(shape, "float32", scope="local")


def _at(buffer: Any, index: Sequence[Any]) -> Any:
    return tirx.BufferLoad(buffer, list(index))


def _float(value: float) -> Any:
    return tirx.const(value, "float32")
