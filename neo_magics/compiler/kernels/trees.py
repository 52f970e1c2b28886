# mypy: ignore-errors
# ruff: noqa: PLR0912, PLR0913, PLR0917
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
    """The PrimFunc (rows, features) → (rows, columns) for any number of rows."""
    return _vector_leaves(shape) if shape.leaves else _scalar_leaves(shape)


def _scalar_leaves(shape: ForestShape) -> Any:
    """Parameters: x, feature, missing, slot, threshold, left, value, root, depth, column, base, out."""
    features, slots, nodes, trees, columns = _sizes(shape)
    data, key, value_type = shape.data, shape.key, shape.value
    largest = _largest(key)

    @T.prim_func(s_tir=True, private=True)
    def forest(
        px: T.handle,
        feature: T.Buffer((slots,), "int32"),
        missing: T.Buffer((slots,), key),
        slot: T.Buffer((nodes,), "int32"),
        threshold: T.Buffer((nodes,), key),
        left: T.Buffer((nodes,), "int32"),
        value: T.Buffer((nodes,), value_type),
        root: T.Buffer((trees,), "int32"),
        depth: T.Buffer((trees,), "int32"),
        column: T.Buffer((trees,), "int32"),
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
                    seen[s * ROWS + r] = T.if_then_else(T.isnan(given), missing[s], T.min(given, largest))
                for c in T.serial(columns):
                    total[c * ROWS + r] = base[c]
            for t in T.serial(trees):
                for g in T.serial(count // LANES):
                    for lane in T.unroll(LANES):
                        node[lane] = root[t]
                    for _step in T.serial(depth[t]):
                        for lane in T.unroll(LANES):
                            node[lane] = left[node[lane]] + T.Cast(
                                "int32",
                                T.call_llvm_pure_intrin(key, FENCE, seen[slot[node[lane]] + g * LANES + lane])
                                > T.call_llvm_pure_intrin(key, FENCE, threshold[node[lane]]),
                            )
                    for lane in T.unroll(LANES):
                        total[column[t] * ROWS + g * LANES + lane] = (
                            total[column[t] * ROWS + g * LANES + lane] + value[node[lane]]
                        )
                for tail in T.serial(count % LANES):
                    row: T.int64 = count - 1 - tail
                    node[0] = root[t]
                    for _step in T.serial(depth[t]):
                        node[0] = left[node[0]] + T.Cast(
                            "int32", seen[slot[node[0]] + row] > threshold[node[0]]
                        )
                    total[column[t] * ROWS + row] = total[column[t] * ROWS + row] + value[node[0]]
            for r in T.serial(count):
                for c in T.serial(columns):
                    out[block * ROWS + r, c] = total[c * ROWS + r]

    return forest


def _vector_leaves(shape: ForestShape) -> Any:
    """Parameters: x, feature, missing, slot, threshold, left, leaf, values, root, depth, base, out."""
    features, slots, nodes, trees, columns = _sizes(shape)
    data, key, value_type, leaves = shape.data, shape.key, shape.value, shape.leaves
    largest = _largest(key)

    @T.prim_func(s_tir=True, private=True)
    def forest(
        px: T.handle,
        feature: T.Buffer((slots,), "int32"),
        missing: T.Buffer((slots,), key),
        slot: T.Buffer((nodes,), "int32"),
        threshold: T.Buffer((nodes,), key),
        left: T.Buffer((nodes,), "int32"),
        leaf: T.Buffer((nodes,), "int32"),
        values: T.Buffer((leaves, columns), value_type),
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
            total = T.alloc_buffer((ROWS * columns,), value_type, scope="local")
            node = T.alloc_buffer((LANES,), "int32", scope="local")
            count: T.int64 = T.min(n - block * ROWS, T.int64(ROWS))
            for r in T.serial(count):
                for s in T.serial(slots):
                    given = T.Cast(key, x[block * ROWS + r, feature[s]])
                    seen[s * ROWS + r] = T.if_then_else(T.isnan(given), missing[s], T.min(given, largest))
                for c in T.serial(columns):
                    total[r * columns + c] = base[c]
            for t in T.serial(trees):
                for g in T.serial(count // LANES):
                    for lane in T.unroll(LANES):
                        node[lane] = root[t]
                    for _step in T.serial(depth[t]):
                        for lane in T.unroll(LANES):
                            node[lane] = left[node[lane]] + T.Cast(
                                "int32",
                                T.call_llvm_pure_intrin(key, FENCE, seen[slot[node[lane]] + g * LANES + lane])
                                > T.call_llvm_pure_intrin(key, FENCE, threshold[node[lane]]),
                            )
                    for lane in T.unroll(LANES):
                        for c in T.serial(columns):
                            total[(g * LANES + lane) * columns + c] = (
                                total[(g * LANES + lane) * columns + c] + values[leaf[node[lane]], c]
                            )
                for tail in T.serial(count % LANES):
                    row: T.int64 = count - 1 - tail
                    node[0] = root[t]
                    for _step in T.serial(depth[t]):
                        node[0] = left[node[0]] + T.Cast(
                            "int32", seen[slot[node[0]] + row] > threshold[node[0]]
                        )
                    for c in T.serial(columns):
                        total[row * columns + c] = total[row * columns + c] + values[leaf[node[0]], c]
            for r in T.serial(count):
                for c in T.serial(columns):
                    out[block * ROWS + r, c] = total[r * columns + c]

    return forest


def _sizes(shape: ForestShape) -> tuple[int, int, int, int, int]:
    return shape.features, shape.slots, shape.nodes, shape.trees, shape.columns


def _largest(key: str) -> Any:
    """The largest finite number: thresholds do not exceed it, and +inf counts as it."""
    from tvm import tirx

    return tirx.max_value(key)
