# mypy: ignore-errors
# ruff: noqa: PLR0913, PLR0917
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Ensembles of small trees: every node of a tree is asked for all rows of a block, without a walk.

The leaves of a tree are bits, at most 32 of them in a word, the leftmost the highest. A node that sends a row
to the right clears the bits of the leaves on its left; when all were asked, the highest bit that is left is
the row's leaf. (QuickScorer of Lucchese and others, in the form for vectors, "Exploiting CPU SIMD Extensions
to Speed-up Document Scoring with Tree Ensembles".) A node costs a comparison and an AND for sixteen rows at
once, and neither a load that waits for another one nor a gather.

A tree with more leaves has several words, each with its own nodes and those above it on whose left side it
is. They come from right to left, and a word in which a bit is left overrides those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

from neo_magics.compiler.kernels.trees import ROWS, ForestShape, add_number, largest, sizes_of

BITS = 32  # leaves of a word
LANES = 16  # rows of one vector
ALL = -1


@dataclass(frozen=True)
class BitShape:
    """Sizes that the kernel is made for: the forest's, where `nodes` counts a node once per word; all words
    and all leaves."""

    forest: ForestShape
    words: int
    leaves: int


def bits_kernel(sizes: BitShape) -> Any:
    """The PrimFunc (rows, features) → (rows, columns) for any number of rows.

    Its parameters: x; feature and missing of each slot; slot, threshold and mask of each node; the first node
    of each word and the number of its first leaf; the first word of each tree; `where` and `values` as those
    of `forest_kernel`, by leaf; base; out.
    """
    shape, words = sizes.forest, sizes.words
    features, slots, nodes, trees, columns = sizes_of(shape)
    data, key, value_type, vectors = shape.data, shape.key, shape.value, bool(shape.leaves)
    entries = (sizes.leaves, columns) if vectors else (sizes.leaves,)
    limit, add_leaf = largest(key), _add_row if vectors else add_number
    row_stride, column_stride = (columns, 1) if vectors else (1, ROWS)

    @T.prim_func(s_tir=True, private=True)
    def forest(
        px: T.handle,
        feature: T.Buffer((slots,), "int32"),
        missing: T.Buffer((slots,), key),
        slot: T.Buffer((nodes,), "int32"),
        threshold: T.Buffer((nodes,), key),
        mask: T.Buffer((nodes,), "int32"),
        first: T.Buffer((words + 1,), "int32"),
        leaf: T.Buffer((words,), "int32"),
        word: T.Buffer((trees + 1,), "int32"),
        where: T.Buffer((trees,), "int32"),
        values: T.Buffer(entries, value_type),
        base: T.Buffer((columns,), value_type),
        pout: T.handle,
    ):
        T.func_attr({"tirx.noalias": True, "op_pattern": 8})
        n = T.int64()
        x = T.match_buffer(px, (n, features), data)
        out = T.match_buffer(pout, (n, columns), value_type)
        for block in T.parallel((n + ROWS - 1) // ROWS):
            seen = T.alloc_buffer((slots * ROWS,), key, scope="local")
            total = T.alloc_buffer((columns * ROWS,), value_type, scope="local")
            bits = T.alloc_buffer((ROWS,), "int32", scope="local")
            found = T.alloc_buffer((ROWS,), "int32", scope="local")
            count: T.int64 = T.min(n - block * ROWS, T.int64(ROWS))
            for r in T.serial(count):
                for s in T.serial(slots):
                    given = T.Cast(key, x[block * ROWS + r, feature[s]])
                    seen[s * ROWS + r] = T.if_then_else(T.isnan(given), missing[s], T.min(given, limit))
                for c in T.serial(columns):
                    total[r * row_stride + c * column_stride] = base[c]
            for t in T.serial(trees):
                for w in T.serial(word[t], word[t + 1]):
                    if count > ROWS - LANES:
                        _ask(bits, found, seen, slot, threshold, mask, first, leaf, w, 0, ROWS // LANES)
                    else:
                        for part in T.serial((count + LANES - 1) // LANES):
                            _ask(bits, found, seen, slot, threshold, mask, first, leaf, w, part * LANES, 1)
                for r in T.serial(count):
                    add_leaf(total, values, where, t, found[r], r, columns)
            for r in T.serial(count):
                for c in T.serial(columns):
                    out[block * ROWS + r, c] = total[r * row_stride + c * column_stride]

    return forest


@T.macro
def _ask(bits, found, seen, slot, threshold, mask, first, leaf, w, begin, parts):
    """The leaves of `parts` vectors of rows from row `begin` on, where they are in word `w`."""
    for part in T.unroll(parts):
        for lane in T.vectorized(LANES):
            bits[part * LANES + lane] = ALL
    for node in T.serial(first[w + 1] - first[w]):
        for part in T.unroll(parts):
            for lane in T.vectorized(LANES):
                bits[part * LANES + lane] = T.bitwise_and(
                    bits[part * LANES + lane],
                    T.Select(
                        seen[slot[first[w] + node] + begin + part * LANES + lane]
                        > threshold[first[w] + node],
                        mask[first[w] + node],
                        ALL,
                    ),
                )
    for part in T.unroll(parts):
        for lane in T.vectorized(LANES):
            found[begin + part * LANES + lane] = T.Select(
                bits[part * LANES + lane] != 0,
                leaf[w] + T.clz(bits[part * LANES + lane]),
                found[begin + part * LANES + lane],
            )


@T.macro
def _add_row(total, values, _where, _tree, leaf, row, columns):
    for c in T.serial(columns):
        total[row * columns + c] = total[row * columns + c] + values[leaf, c]
