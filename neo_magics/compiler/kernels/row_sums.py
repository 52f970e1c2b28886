"""Rows of a table added up: bags of rows that indices name, and rows added where indices say."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels.normalisation import WORTH_THREADS
from neo_magics.compiler.kernels.row_kernels import ATTRIBUTES

SUM, MEAN, MAXIMUM = range(3)  # PyTorch's numbers of nn.EmbeddingBag's modes
_WIDEST = 64  # elements of a row that stay in registers


@dataclass(frozen=True)
class Bags:
    """Of a table [rows, width], `count` bags of indices; a bag ends where the next begins.

    `mode` is SUM, MEAN or MAXIMUM; an empty bag is 0, and an index `padding` counts as none. `weighted`: each
    row times a number of its own. `with_end`: one more offset says where the last bag ends. `indices` and
    `count` may be free.
    """

    rows: int
    width: int
    indices: Any
    count: Any
    mode: int
    padding: int
    weighted: bool
    with_end: bool
    dtype: str
    places: str


def bags(b: Bags) -> tirx.PrimFunc:
    """The kernel (table, indices, offsets[, weights], out [count, width]). Threads share the bags."""
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("bags")
        T.func_attr(ATTRIBUTES)
        table = T.arg("table", T.buffer((b.rows, b.width), b.dtype))
        indices = T.arg("indices", T.buffer((b.indices,), b.places))
        offsets = T.arg("offsets", T.buffer((b.count + b.with_end,), b.places))
        weights = T.arg("weights", T.buffer((b.indices,), b.dtype)) if b.weighted else None
        out = T.arg("out", T.buffer((b.count, b.width), b.dtype))
        known = isinstance(b.indices, int) and isinstance(b.count, int)
        small = known and b.indices * b.width < WORTH_THREADS
        with T.sblock("root"), (T.serial if small else T.parallel)(0, b.count) as bag:
            body = _Bag(b, bag, indices, offsets, weights)
            pieces(b.width, lambda first, size: body.run(table, out, first, size))
    return builder.get()


def pieces(width: int, do: Callable[[Any, int], None]) -> None:
    """do(first, size) for pieces of a row; the last one may be smaller."""
    if width >= _WIDEST:
        with T.serial(0, width // _WIDEST) as piece:
            do(piece * _WIDEST, _WIDEST)
    if width % _WIDEST:
        do(width // _WIDEST * _WIDEST, width % _WIDEST)


class _Bag:
    """The kernel's body for one bag."""

    def __init__(self, b: Bags, bag: Any, indices: Any, offsets: Any, weights: Any) -> None:
        self.b, self.bag, self.indices, self.weights = b, bag, indices, weights
        length = tirx.Cast(b.places, b.indices)
        last = T.int64(0) + bag + 1 < b.count
        after = offsets[tirx.min(bag + 1, b.count - 1)]
        end = offsets[bag + 1] if b.with_end else tirx.Select(last, after, length)
        inside = [tirx.max(tirx.min(place, length), 0) for place in (offsets[bag], end)]
        self.begin, self.many = inside[0], tirx.max(inside[1] - inside[0], 0)

    def run(self, table: Any, out: Any, first: Any, size: int) -> None:
        largest = self.b.mode == MAXIMUM
        total = T.alloc_buffer((size,), self.b.dtype, scope="local")
        counted = T.alloc_buffer((1,), "int32", scope="local")
        start = tirx.const(-math.inf if largest else 0.0, self.b.dtype)
        with T.vectorized(0, size) as v:
            T.buffer_store(total, start, [v])
        T.buffer_store(counted, tirx.const(0, "int32"), [0])
        with T.serial(0, self.many) as k:
            place = self.begin + k
            row = tirx.max(tirx.min(self.indices[place], self.b.rows - 1), 0)
            with T.If(self.indices[place] != self.b.padding), T.Then():
                with T.vectorized(0, size) as v:
                    value = table[row, first + v]
                    value = value * self.weights[place] if self.weights is not None else value
                    joined = tirx.max(value, total[v]) if largest else total[v] + value
                    T.buffer_store(total, joined, [v])
                T.buffer_store(counted, counted[0] + 1, [0])
        with T.vectorized(0, size) as v:
            T.buffer_store(out, self._result(total[v], counted[0]), [self.bag, first + v])

    def _result(self, total: Any, counted: Any) -> Any:
        if self.b.mode == MAXIMUM:
            return tirx.Select(counted > 0, total, tirx.const(0, self.b.dtype))
        return total / tirx.Cast(self.b.dtype, tirx.max(counted, 1)) if self.b.mode == MEAN else total


@dataclass(frozen=True)
class Additions:
    """`count` rows added to rows of x [rows, width], each at a place; rows and count may be free."""

    rows: Any
    width: int
    count: Any
    dtype: str
    places: str


def add_rows(a: Additions, threads: int) -> tirx.PrimFunc:
    """The kernel (x, places [count], source [count, width], out). Threads share the columns.

    A place is counted from the end where it is negative, and then kept inside.
    """
    step = max(min(-(-a.width // max(threads, 1)), _WIDEST), min(a.width, 16))
    with IRBuilder() as builder, T.prim_func(is_private=True, s_tir=True):
        T.func_name("add_rows")
        T.func_attr(ATTRIBUTES)
        x = T.arg("x", T.buffer((a.rows, a.width), a.dtype))
        places = T.arg("places", T.buffer((a.count,), a.places))
        source = T.arg("source", T.buffer((a.count, a.width), a.dtype))
        out = T.arg("out", T.buffer((a.rows, a.width), a.dtype))
        whole = a.width // step
        with T.sblock("root"):
            with (T.parallel if whole > 1 else T.serial)(0, whole) as piece:
                _add(a, (x, places, source, out), piece * step, step)
            if a.width % step:
                _add(a, (x, places, source, out), whole * step, a.width % step)
    return builder.get()


def _add(a: Additions, buffers: tuple[Any, ...], first: Any, size: int) -> None:
    x, places, source, out = buffers
    with T.serial(0, a.rows) as row, T.vectorized(0, size) as v:
        T.buffer_store(out, x[row, first + v], [row, first + v])
    with T.serial(0, a.count) as k:
        rows = tirx.Cast(a.places, a.rows)
        place = tirx.Select(places[k] < 0, places[k] + rows, places[k])
        row = tirx.max(tirx.min(place, rows - 1), 0)
        with T.vectorized(0, size) as v:
            T.buffer_store(out, out[row, first + v] + source[k, first + v], [row, first + v])
