# mypy: ignore-errors
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Splits by category as columns of their own: whether a feature's category is one of a set."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from neo_magics.compiler.kernels.tree_frame import ROWS

BITS = 32  # categories of a word


def category_kernel(features: int, sets: int, words: int, data: str) -> Any:
    """The PrimFunc (rows, features) → (rows, features + sets) for any number of rows.

    A new column is 1 where the whole part of its feature is in the set, NaN where the feature is, else 0.
    Its parameters: x; feature, first word and number of categories of each set; words of bits; out.
    """

    @T.prim_func(s_tir=True, private=True)
    def categories(
        px: T.handle,
        feature: T.Buffer((sets,), "int32"),
        first: T.Buffer((sets,), "int32"),
        size: T.Buffer((sets,), "int32"),
        bits: T.Buffer((words,), "int32"),
        pout: T.handle,
    ):
        T.func_attr({"tirx.noalias": True, "op_pattern": 8})
        n = T.int64()
        x = T.match_buffer(px, (n, features), data)
        out = T.match_buffer(pout, (n, features + sets), data)
        for block in T.parallel((n + ROWS - 1) // ROWS):
            for r in T.serial(T.min(n - block * ROWS, T.int64(ROWS))):
                row: T.int64 = block * ROWS + r
                for f in T.serial(features):
                    out[row, f] = x[row, f]
                for s in T.serial(sets):
                    given = x[row, feature[s]]
                    known = given > T.Cast(data, -1) and given < T.Cast(data, size[s])
                    place: T.int32 = T.Cast("int32", T.if_then_else(known, given, T.Cast(data, 0)))
                    bit: T.int32 = T.bitwise_and(
                        T.shift_right(bits[first[s] + place // BITS], place % BITS), 1
                    )
                    inside = T.if_then_else(known, T.Cast(data, bit), T.Cast(data, 0))
                    out[row, features + s] = T.if_then_else(T.isnan(given), given, inside)

    return categories
