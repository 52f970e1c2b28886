# mypy: ignore-errors
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Kernels whose results are as many as the data decide: they fill a buffer that holds the most, and count.

`where_true` finds the true elements, `distinct` the different ones. (TVM computes both in Python, which a
device does not have.)
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from neo_magics.compiler.kernels import OPAQUE

ATTRIBUTES = {"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True}


def where_true(size: int) -> Any:
    """(mask [size] bool) → the places of true elements [size], and how many there are [1]."""

    @T.prim_func(s_tir=True, private=True)
    def kernel(
        mask: T.Buffer((size,), "bool"), places: T.Buffer((size,), "int64"), count: T.Buffer((1,), "int64")
    ):
        T.func_attr(ATTRIBUTES)
        with T.sblock("root"):
            T.reads()
            T.writes()
            found = T.alloc_buffer((1,), "int64")
            found[0] = T.int64(0)
            for k in T.serial(size):
                places[k] = T.int64(0)
            for k in T.serial(size):
                if mask[k]:
                    places[found[0]] = T.int64(k)
                    found[0] = found[0] + T.int64(1)
            count[0] = found[0]

    return kernel


def front(most: int, width: int, dtype: str) -> Any:
    """(x [most, width]) → its first rows, as many as the result has.

    Opaque, so that it stays behind what finds out how many: fused, TVM moves it before that.
    """

    @T.prim_func(s_tir=True, private=True)
    def kernel(x: T.Buffer((most, width), dtype), result: T.handle):
        T.func_attr(ATTRIBUTES)
        rows = T.int64()
        out = T.match_buffer(result, (rows, width), dtype)
        with T.sblock("root"):
            T.reads()
            T.writes()
            for k in T.serial(rows):
                for c in T.serial(width):
                    out[k, c] = x[k, c]

    return kernel


def row_order(rows: int, width: int, dtype: str) -> Any:
    """(x [rows, width]) → the order [rows] in which its rows are sorted, element by element.

    The rank of a row is the number of rows before it: rows² comparisons, each of them apart.
    """

    @T.prim_func(s_tir=True, private=True)
    def kernel(x: T.Buffer((rows, width), dtype), order: T.Buffer((rows,), "int64")):
        T.func_attr(ATTRIBUTES)
        with T.sblock("root"):
            T.reads()
            T.writes()
            rank = T.alloc_buffer((1,), "int64")
            state = T.alloc_buffer((1,), "int32", scope="local")
            for i in T.serial(rows):
                rank[0] = T.int64(0)
                for j in T.serial(rows):
                    state[0] = 0  # -1: row j is before row i; 1: after
                    for k in T.serial(width):
                        if state[0] == 0 and x[j, k] != x[i, k]:
                            state[0] = T.if_then_else(x[j, k] < x[i, k], -1, 1)
                    if state[0] == -1 or (state[0] == 0 and j < i):
                        rank[0] = rank[0] + T.int64(1)
                order[rank[0]] = T.int64(i)

    return kernel


def distinct(rows: int, width: int, dtype: str, *, by_value: bool) -> Any:
    """(x [rows, width], order [rows]) → first [rows], inverse [rows], counts [rows], count [1].

    `order` brings equal rows together. The different rows are numbered by value, or else by where they are
    met first.
    """

    @T.prim_func(s_tir=True, private=True)
    def kernel(
        x: T.Buffer((rows, width), dtype),
        order: T.Buffer((rows,), "int64"),
        first: T.Buffer((rows,), "int64"),
        inverse: T.Buffer((rows,), "int64"),
        counts: T.Buffer((rows,), "int64"),
        count: T.Buffer((1,), "int64"),
    ):
        T.func_attr(ATTRIBUTES)
        with T.sblock("root"):
            T.reads()
            T.writes()
            number = T.alloc_buffer((rows,), "int64")
            leader = T.alloc_buffer((rows,), "int64")
            total = T.alloc_buffer((rows,), "int64")
            same = T.alloc_buffer((1,), "bool", scope="local")
            count[0] = T.int64(0)
            for k in T.serial(rows):
                number[k] = T.int64(-1)
                first[k] = T.int64(0)
                counts[k] = T.int64(0)
            for k in T.serial(rows):
                same[0] = k > 0
                for c in T.serial(width):
                    if k > 0 and x[order[k], c] != x[order[T.max(k - 1, 0)], c]:
                        same[0] = False
                if not same[0]:
                    leader[count[0]] = order[k]
                    total[count[0]] = T.int64(0)
                    count[0] = count[0] + T.int64(1)
                leader[count[0] - 1] = T.min(leader[count[0] - 1], order[k])
                total[count[0] - 1] = total[count[0] - 1] + T.int64(1)
                inverse[order[k]] = count[0] - 1
            if by_value:
                for k in T.serial(count[0]):
                    first[k] = leader[k]
                    counts[k] = total[k]
            else:
                count[0] = T.int64(0)
                for k in T.serial(rows):  # a leader is met before the others of its kind
                    if number[inverse[k]] < T.int64(0):
                        number[inverse[k]] = count[0]
                        first[count[0]] = leader[inverse[k]]
                        counts[count[0]] = total[inverse[k]]
                        count[0] = count[0] + T.int64(1)
                    inverse[k] = number[inverse[k]]

    return kernel
