# mypy: ignore-errors
# ruff: noqa: PLR0913, PLR0917
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Tree ensembles: one kernel for XGBoost, LightGBM and scikit-learn, over tables that describe the nodes.

A block of rows is first copied slot by slot into a small buffer: a slot is a feature together with what a
missing value counts as, so that a node needs no test for NaN. Then one tree after the other sees all rows of
the block while its nodes are in the first cache, eight rows side by side, since one row's walk only waits for
its loads. A step is three loads, a comparison and an addition, without a branch: the right child stands
behind the left one, and a leaf, whose threshold nothing exceeds, leads to itself, so that every row takes as
many steps as the tree is deep. (The flat self-looping layout is that of Asadi, Lin and de Vries, "Runtime
Optimizations for Tree-Based Machine Learning Models".)

Blocks of rows run in parallel. The sums add the trees in the order of the model, so that they round as the
library's own do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvm.script import tirx as T

ROWS = 64  # of a block: its slots and the nodes of a tree fit the first cache together
LANES = 8  # rows that walk side by side, so that their loads overlap
# LLVM would make vectors of the rows and gather their values, at half the speed; not through this.
FENCE = "llvm.arithmetic.fence"


@dataclass(frozen=True)
class ForestShape:
    """Sizes and dtypes that the kernel is made for.

    `data` is the dtype of the rows as given, `key` that of comparisons, `value` that of sums. `leaves` is 0
    where a leaf adds one number to one column, else the rows of the table of leaf vectors.
    """

    features: int
    slots: int
    nodes: int
    trees: int
    columns: int
    leaves: int
    data: str
    key: str
    value: str


def forest_kernel(shape: ForestShape) -> Any:
    """The PrimFunc (rows, features) → (rows, columns) for any number of rows.

    Its parameters: x; feature and missing of each slot; slot, threshold and left of each node; `where` and
    `values`; root and depth of each tree; base; out. Where leaves are numbers, `values` has that of each
    node, `where` the column of each tree; else `values` is a table of leaf vectors, `where` each node's row.
    """
    features, slots, nodes, trees, columns = sizes_of(shape)
    data, key, value_type, vectors = shape.data, shape.key, shape.value, bool(shape.leaves)
    places, entries = (nodes, (shape.leaves, columns)) if vectors else (trees, (nodes,))
    limit, add_leaf = largest(key), add_vector if vectors else add_number
    row_stride, column_stride = (columns, 1) if vectors else (1, ROWS)

    @T.prim_func(s_tir=True, private=True)
    def forest(
        px: T.handle,
        feature: T.Buffer((slots,), "int32"),
        missing: T.Buffer((slots,), key),
        slot: T.Buffer((nodes,), "int32"),
        threshold: T.Buffer((nodes,), key),
        left: T.Buffer((nodes,), "int32"),
        where: T.Buffer((places,), "int32"),
        values: T.Buffer(entries, value_type),
        root: T.Buffer((trees,), "int32"),
        depth: T.Buffer((trees,), "int32"),
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
            node = T.alloc_buffer((LANES,), "int32", scope="local")
            count: T.int64 = T.min(n - block * ROWS, T.int64(ROWS))
            for r in T.serial(count):
                for s in T.serial(slots):
                    given = T.Cast(key, x[block * ROWS + r, feature[s]])
                    seen[s * ROWS + r] = T.if_then_else(T.isnan(given), missing[s], T.min(given, limit))
                for c in T.serial(columns):
                    total[r * row_stride + c * column_stride] = base[c]
            for t in T.serial(trees):
                for g in T.serial(count // LANES):
                    _walk(node, root[t], depth[t], left, slot, threshold, seen, g * LANES, LANES)
                    for lane in T.unroll(LANES):
                        add_leaf(total, values, where, t, node[lane], g * LANES + lane, columns)
                for tail in T.serial(count % LANES):
                    _walk(node, root[t], depth[t], left, slot, threshold, seen, count - 1 - tail, 1)
                    add_leaf(total, values, where, t, node[0], count - 1 - tail, columns)
            for r in T.serial(count):
                for c in T.serial(columns):
                    out[block * ROWS + r, c] = total[r * row_stride + c * column_stride]

    return forest


@T.macro
def _walk(node, root, depth, left, slot, threshold, seen, row, lanes):
    """From the root of a tree to the leaves of `lanes` rows side by side."""
    for lane in T.unroll(lanes):
        node[lane] = root
    for _step in T.serial(depth):
        for lane in T.unroll(lanes):
            node[lane] = left[node[lane]] + T.Cast(
                "int32",
                T.call_llvm_pure_intrin(seen.dtype, FENCE, seen[slot[node[lane]] + row + lane])
                > T.call_llvm_pure_intrin(seen.dtype, FENCE, threshold[node[lane]]),
            )


@T.macro
def add_number(total, values, where, tree, node, row, _columns):
    total[where[tree] * ROWS + row] = total[where[tree] * ROWS + row] + values[node]


@T.macro
def add_vector(total, values, where, _tree, node, row, columns):
    for c in T.serial(columns):
        total[row * columns + c] = total[row * columns + c] + values[where[node], c]


def sizes_of(shape: ForestShape) -> tuple[int, int, int, int, int]:
    """Features, slots, nodes, trees, columns."""
    return shape.features, shape.slots, shape.nodes, shape.trees, shape.columns


def largest(key: str) -> Any:
    """The largest finite number: thresholds do not exceed it, and +inf counts as it."""
    from tvm import tirx

    return tirx.max_value(key)
