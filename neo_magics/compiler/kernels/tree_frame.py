# mypy: ignore-errors
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""What the two kernels of tree ensembles share: blocks of rows, their slots and sums, and how a row walks.

A block of rows is first copied slot by slot into a small buffer: a slot is a feature together with what a
missing value counts as, so that a node needs no test for NaN.

A step of a walk is three loads, a comparison and an addition, without a branch: the right child stands behind
the left one, and a leaf, whose threshold nothing exceeds, leads to itself, so that every row takes as many
steps as the tree is deep. (The flat self-looping layout is that of Asadi, Lin and de Vries, "Runtime
Optimizations for Tree-Based Machine Learning Models".) Several walks go side by side, since one only waits
for its loads: eight rows through one tree, or one row through four trees.

The sums add the trees in the order of the model, so that they round as the library's own do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from tvm.script import tirx as T

ROWS = 64  # of a block at most: its slots and the nodes of a tree fit the first cache together
WALKS = 8  # rows side by side
TREES = 4  # side by side
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
        """How often four trees are walked side by side."""
        return -(-self.trees // TREES)

    @property
    def strides(self) -> tuple[int, int]:
        """From one row's sum to the next row's, and to the next column's: as leaves are added."""
        return (self.columns, 1) if self.vectors else (1, ROWS)

    @property
    def values(self) -> tuple[int, ...]:
        """The shape of the table of leaves."""
        return (self.leaves, self.columns) if self.vectors else (self.leaves,)

    @property
    def add_leaf(self) -> Any:
        """The macro that adds a leaf, by its number, of a tree to the sums of a row."""
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
    """Buffers of what is walked: over nodes, the last two over trees (in whole fours) and fours of them."""

    slot: Any
    threshold: Any
    left: Any
    leaf: Any
    root: Any
    deepest: Any


class Leaves(NamedTuple):
    """The column of each tree, the values of all leaves, and what the sums begin with."""

    column: Any
    value: Any
    base: Any


def blocks_of(rows: Any) -> Any:
    """How many blocks share `rows`: an even number of them, since threads mostly are."""
    return (rows + (2 * ROWS - 1)) // (2 * ROWS) * 2


def block_rows(rows: Any, lanes: int) -> Any:
    """The rows of each block, a multiple of `lanes`: no thread has much more to do than another."""
    blocks = blocks_of(rows)
    return ((rows + blocks - 1) // blocks + (lanes - 1)) // lanes * lanes


@T.macro
def read_rows(x, slots, leaves, seen, total, first, count, shape):
    """The slots of `count` rows from row `first` on, and their sums' beginning."""
    for r in T.serial(count):
        for s in T.serial(shape.slots):
            given = T.Cast(shape.key, x[first + r, slots.feature[s]])
            seen[s * ROWS + r] = T.if_then_else(T.isnan(given), slots.missing[s], T.min(given, shape.largest))
        for c in T.serial(shape.columns):
            total[r * shape.strides[0] + c * shape.strides[1]] = leaves.base[c]


@T.macro
def write_rows(out, total, first, count, shape):
    for r in T.serial(count):
        for c in T.serial(shape.columns):
            out[first + r, c] = total[r * shape.strides[0] + c * shape.strides[1]]


@T.macro
def steps(at, depth, nodes, seen, row, apart, lanes):
    """`depth` steps of `lanes` walks side by side; `apart` is 1 where each has a row of its own, else 0."""
    for _step in T.serial(depth):
        for lane in T.unroll(lanes):
            at[lane] = nodes.left[at[lane]] + T.Cast(
                "int32",
                T.call_llvm_pure_intrin(seen.dtype, FENCE, seen[nodes.slot[at[lane]] + row + lane * apart])
                > T.call_llvm_pure_intrin(seen.dtype, FENCE, nodes.threshold[at[lane]]),
            )


@T.macro
def walk_few(at, nodes, leaves, seen, total, count, shape):
    """Each row through four trees at once."""
    for r in T.serial(count):
        for g in T.serial(shape.groups):
            for lane in T.unroll(TREES):
                at[lane] = nodes.root[g * TREES + lane]
            steps(at, nodes.deepest[g], nodes, seen, r, 0, TREES)
            for lane in T.unroll(TREES):
                if g * TREES + lane < shape.trees:
                    shape.add_leaf(total, leaves, g * TREES + lane, nodes.leaf[at[lane]], r, shape.columns)


@T.macro
def _add_number(total, leaves, tree, leaf, row, _columns):
    total[leaves.column[tree] * ROWS + row] = total[leaves.column[tree] * ROWS + row] + leaves.value[leaf]


@T.macro
def _add_row(total, leaves, _tree, leaf, row, columns):
    for c in T.serial(columns):
        total[row * columns + c] = total[row * columns + c] + leaves.value[leaf, c]
