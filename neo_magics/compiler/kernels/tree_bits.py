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

Asking costs the same for one row as for sixteen: a few rows walk instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from tvm.script import tirx as T

from neo_magics.compiler.kernels.tree_frame import (
    ROWS,
    TREES,
    ForestShape,
    Leaves,
    Nodes,
    Slots,
    block_rows,
    few_rows,
    read_rows,
    write_rows,
)

BITS = 32  # leaves of a word
LANES = 16  # rows of one vector
FEW = 2  # rows that walk instead
TOGETHER = 2 * LANES  # rows that one thread takes alone: waking another costs more
ALL = -1


@dataclass(frozen=True)
class BitShape:
    """Sizes that the kernel is made for: the forest's, the nodes that are asked (one counts once per word it
    is in), and all words."""

    forest: ForestShape
    asked: int
    words: int


class Words(NamedTuple):
    """Buffers over the nodes that are asked, over words, and the first word of each tree."""

    slot: Any
    threshold: Any
    mask: Any
    first: Any
    leaf: Any
    word: Any


def bits_kernel(sizes: BitShape) -> Any:
    """The PrimFunc (rows, features) → (rows, columns) for any number of rows.

    Its parameters: x; feature and missing of each slot; slot, threshold and mask of each node that is asked;
    the first of them of each word and the number of its first leaf; the first word of each tree; what is
    walked and the leaves as those of `forest_kernel`, without the depths; out.
    """
    shape, asked, words = sizes.forest, sizes.asked, sizes.words

    @T.prim_func(s_tir=True, private=True)
    def forest(
        px: T.handle,
        feature: T.Buffer((shape.slots,), "int32"),
        missing: T.Buffer((shape.slots,), shape.key),
        asked_slot: T.Buffer((asked,), "int32"),
        asked_threshold: T.Buffer((asked,), shape.key),
        mask: T.Buffer((asked,), "int32"),
        first: T.Buffer((words + 1,), "int32"),
        first_leaf: T.Buffer((words,), "int32"),
        word: T.Buffer((shape.trees + 1,), "int32"),
        node: T.Buffer((shape.nodes, 2), "int64"),
        leaf: T.Buffer((shape.nodes,), "int32"),
        root: T.Buffer((shape.groups * TREES,), "int32"),
        column: T.Buffer((shape.trees,), "int32"),
        value: T.Buffer(shape.values, shape.value),
        base: T.Buffer((shape.columns,), shape.value),
        pout: T.handle,
    ):
        T.func_attr({"tirx.noalias": True, "op_pattern": 8})
        n = T.int64()
        x = T.match_buffer(px, (n, shape.features), shape.data)
        out = T.match_buffer(pout, (n, shape.columns), shape.value)
        slots, leaves = Slots(feature, missing), Leaves(column, value, base)
        nodes = Nodes(node, leaf, root)
        parts = Words(asked_slot, asked_threshold, mask, first, first_leaf, word)
        if n <= FEW:
            few_rows(x, out, T.int64(0), n, slots, nodes, leaves, shape)
        elif n <= TOGETHER:
            _block(x, out, T.int64(0), n, slots, parts, leaves, shape)
        else:
            size: T.int64 = block_rows(n, LANES)
            for block in T.parallel((n + size - 1) // size):
                rows: T.int64 = T.min(n - block * size, size)
                _block(x, out, block * size, rows, slots, parts, leaves, shape)

    return forest


@T.macro
def _ask(bits, found, seen, words, w, parts):
    """The leaves of `parts` vectors of rows, where they are in word `w`."""
    for part in T.unroll(parts):
        for lane in T.vectorized(LANES):
            bits[part * LANES + lane] = ALL
    for node in T.serial(words.first[w + 1] - words.first[w]):
        for part in T.unroll(parts):
            for lane in T.vectorized(LANES):
                bits[part * LANES + lane] = T.bitwise_and(
                    bits[part * LANES + lane],
                    T.Select(
                        seen[words.slot[words.first[w] + node] + part * LANES + lane]
                        > words.threshold[words.first[w] + node],
                        words.mask[words.first[w] + node],
                        ALL,
                    ),
                )
    for part in T.unroll(parts):
        for lane in T.vectorized(LANES):
            found[part * LANES + lane] = T.Select(
                bits[part * LANES + lane] != 0,
                words.leaf[w] + T.clz(bits[part * LANES + lane]),
                found[part * LANES + lane],
            )


@T.macro
def _block(x, out, first, rows, slots, words, leaves, shape):
    seen = T.alloc_buffer((shape.slots * ROWS + 1,), shape.key, scope="local")
    total = T.alloc_buffer((shape.columns * ROWS,), shape.value, scope="local")
    bits = T.alloc_buffer((ROWS,), "int32", scope="local")
    found = T.alloc_buffer((ROWS,), "int32", scope="local")
    count: T.int64 = rows
    read_rows(x, slots, leaves, seen, total, first, count, ROWS, shape)
    for t in T.serial(shape.trees):
        for w in T.serial(words.word[t], words.word[t + 1]):
            if count > 3 * LANES:
                _ask(bits, found, seen, words, w, 4)
            elif count > 2 * LANES:
                _ask(bits, found, seen, words, w, 3)
            elif count > LANES:
                _ask(bits, found, seen, words, w, 2)
            else:
                _ask(bits, found, seen, words, w, 1)
        for r in T.serial(count):
            shape.add_leaf(total, leaves, t, found[r], r, ROWS, shape.columns)
    write_rows(out, total, first, count, ROWS, shape)
