# mypy: ignore-errors
# ruff: noqa: PLR0913, PLR0917
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""What the two kernels of tree ensembles share: blocks of rows, their slots and sums, and how a row walks.

A block of rows is first copied slot by slot into a small buffer: a slot is a feature together with what a
missing value counts as, so that a node needs no test for NaN.

A step of a walk is three loads, a comparison and an addition, without a branch: the right child stands behind
the left one, and a leaf, whose threshold nothing exceeds, leads to itself, so that every row takes as many
steps as the tree is deep. (The flat self-looping layout is that of Asadi, Lin and de Vries, "Runtime
Optimizations for Tree-Based Machine Learning Models".) A node is one record of 16 bytes, so that a step meets
one line of the cache. Several walks go side by side, since one only waits for its loads: eight rows through
one tree, or one row through eight trees.

The sums add the trees in the order of the model, so that they round as the library's own do.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

from tvm.script import tirx as T

ROWS = 64  # of a block at most: its slots and the nodes of a tree fit the first cache together
WALKS = 8  # rows side by side
TREES = 8  # side by side
UNASKED = 2  # steps between two questions whether all eight have found their leaves
IS_LEAF = 1 << 32  # the lowest bit of the slot's place, where a block's first row is
# LLVM would make vectors of the walks and gather their values, at half the speed; not through this.
FENCE = "llvm.arithmetic.fence"


@dataclass(frozen=True)
class ForestShape:
    """Sizes and dtypes that a kernel is made for.

    `data` is the dtype of the rows as given, `key` that of comparisons, `value` that of sums. With `vectors`
    a leaf is a number for each column, else one number for its tree's column.
    """

    features: int
    slots: int
    nodes: int
    trees: int
    columns: int
    leaves: int
    vectors: bool
    data: str
    key: str
    value: str

    @property
    def groups(self) -> int:
        """How often eight trees are walked side by side."""
        return -(-self.trees // TREES)

    def strides(self, wide: int) -> tuple[int, int]:
        """From one row's sum to the next row's, and to the next column's, in a block of `wide` rows."""
        return (self.columns, 1) if self.vectors else (1, wide)

    @property
    def values(self) -> tuple[int, ...]:
        """The shape of the table of leaves."""
        return (self.leaves, self.columns) if self.vectors else (self.leaves,)

    @property
    def add_leaf(self) -> Any:
        """The macro that adds a leaf, by its number, of a tree to the sums of a row, which are `apart`."""
        return _add_row if self.vectors else _add_number

    @property
    def largest(self) -> Any:
        """The largest finite key: thresholds do not exceed it, and +inf counts as it."""
        from tvm import tirx

        return tirx.max_value(self.key)


class Slots(NamedTuple):
    """Buffers over the slots."""

    feature: Any
    missing: Any


class Nodes(NamedTuple):
    """Buffers of what is walked: over nodes, the last one over trees, in whole eights.

    A node is two words of 64 bits: the bits of its threshold; its left child, and above that the place of its
    slot in a block of rows, with `IS_LEAF` for a leaf.
    """

    node: Any
    leaf: Any
    root: Any


class Leaves(NamedTuple):
    """The column of each tree, the values of all leaves, and what the sums begin with."""

    column: Any
    value: Any
    base: Any


def _threshold(bits: Any, key: str) -> Any:
    """The number of dtype `key` whose bits are the lowest of an int64."""
    from tvm import tirx

    return tirx.reinterpret(key, bits if key == "float64" else tirx.Cast("int32", bits))


def _place(word: Any, wide: int) -> Any:
    """Where the slot of a node's second word begins, among slots of `wide` rows each."""
    from tvm import tirx

    return tirx.shift_right(word, tirx.const(32 + (ROWS // wide).bit_length() - 1, "int64"))


def _any_walks(node: Any, at: Any) -> Any:
    """Whether one of the nodes at which the walks are is no leaf."""
    from tvm import tirx

    leaf = reduce(operator.and_, (node[at[lane], 1] for lane in range(TREES)))
    return (leaf & tirx.const(IS_LEAF, "int64")) == tirx.const(0, "int64")


def blocks_of(rows: Any) -> Any:
    """How many blocks share `rows`: an even number of them, since threads mostly are."""
    return (rows + (2 * ROWS - 1)) // (2 * ROWS) * 2


def block_rows(rows: Any, lanes: int) -> Any:
    """The rows of each block, a multiple of `lanes`: no thread has much more to do than another."""
    blocks = blocks_of(rows)
    return ((rows + blocks - 1) // blocks + (lanes - 1)) // lanes * lanes


@T.macro
def read_rows(x, slots, leaves, seen, total, first, count, wide, shape):
    """The slots of `count` rows from row `first` on, in a block of `wide` rows, and their sums' beginning."""
    for r in T.serial(count):
        for s in T.serial(shape.slots):
            given = T.Cast(shape.key, x[first + r, slots.feature[s]])
            seen[s * wide + r] = T.if_then_else(T.isnan(given), slots.missing[s], T.min(given, shape.largest))
        for c in T.serial(shape.columns):
            total[r * shape.strides(wide)[0] + c * shape.strides(wide)[1]] = leaves.base[c]


@T.macro
def write_rows(out, total, first, count, wide, shape):
    for r in T.serial(count):
        for c in T.serial(shape.columns):
            out[first + r, c] = total[r * shape.strides(wide)[0] + c * shape.strides(wide)[1]]


@T.macro
def steps(at, depth, nodes, seen, row, apart, wide, lanes):
    """`depth` steps of `lanes` walks side by side, in rows from `row` on that are `apart` (0: one row).

    `seen` holds `wide` rows.
    """
    for _step in T.serial(depth):
        for lane in T.unroll(lanes):
            at[lane] = T.Cast("int32", nodes.node[at[lane], 1]) + T.Cast(
                "int32",
                T.call_llvm_pure_intrin(
                    seen.dtype, FENCE, seen[_place(nodes.node[at[lane], 1], wide) + row + lane * apart]
                )
                > T.call_llvm_pure_intrin(seen.dtype, FENCE, _threshold(nodes.node[at[lane], 0], seen.dtype)),
            )


@T.macro
def few_rows(x, out, first, count, slots, nodes, leaves, shape):
    """One row after the other, through eight trees at once; its slots and sums lie close together."""
    seen = T.alloc_buffer((shape.slots,), shape.key, scope="local")
    total = T.alloc_buffer((shape.columns,), shape.value, scope="local")
    at = T.alloc_buffer((TREES,), "int32", scope="local")
    for r in T.serial(count):
        read_rows(x, slots, leaves, seen, total, first + r, 1, 1, shape)
        for g in T.serial(shape.groups):
            for lane in T.unroll(TREES):
                at[lane] = nodes.root[g * TREES + lane]
            while _any_walks(nodes.node, at):
                steps(at, UNASKED, nodes, seen, 0, 0, 1, TREES)
            for lane in T.unroll(TREES):
                if g * TREES + lane < shape.trees:
                    shape.add_leaf(total, leaves, g * TREES + lane, nodes.leaf[at[lane]], 0, 1, shape.columns)
        write_rows(out, total, first + r, 1, 1, shape)


@T.macro
def _add_number(total, leaves, tree, leaf, row, apart, _columns):
    total[leaves.column[tree] * apart + row] = total[leaves.column[tree] * apart + row] + leaves.value[leaf]


@T.macro
def _add_row(total, leaves, _tree, leaf, row, _apart, columns):
    for c in T.serial(columns):
        total[row * columns + c] = total[row * columns + c] + leaves.value[leaf, c]
