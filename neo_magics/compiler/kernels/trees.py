# mypy: ignore-errors
# ruff: noqa: PLR0913, PLR0917
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Tree ensembles: one kernel for XGBoost, LightGBM and scikit-learn, over tables that describe the nodes.

One tree after the other sees all rows of a block while its nodes are in the first cache, eight rows side by
side. Blocks of rows run in parallel. `tree_frame` says how a row walks.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from neo_magics.compiler.kernels.tree_frame import (
    ROWS,
    TREES,
    WALKS,
    ForestShape,
    Leaves,
    Nodes,
    Slots,
    block_rows,
    few_rows,
    read_rows,
    steps,
    write_rows,
)

TOGETHER = 2 * WALKS  # rows that one thread takes alone: waking another costs more


def forest_kernel(shape: ForestShape) -> Any:
    """The PrimFunc (rows, features) → (rows, columns) for any number of rows.

    Its parameters: x; feature and missing of each slot; each node, as `Nodes` says, and the number of its
    leaf; the root of each tree, the last one again until they are a multiple of eight; depth and column of
    each tree; the leaves' values; base; out.
    """

    @T.prim_func(s_tir=True, private=True)
    def forest(
        px: T.handle,
        feature: T.Buffer((shape.slots,), "int32"),
        missing: T.Buffer((shape.slots,), shape.key),
        node: T.Buffer((shape.nodes, 2), "int64"),
        leaf: T.Buffer((shape.nodes,), "int32"),
        root: T.Buffer((shape.groups * TREES,), "int32"),
        depth: T.Buffer((shape.trees,), "int32"),
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
        if n <= TOGETHER:
            _block(x, out, T.int64(0), n, slots, nodes, depth, leaves, shape)
        else:
            size: T.int64 = block_rows(n, WALKS)
            for block in T.parallel((n + size - 1) // size):
                rows: T.int64 = T.min(n - block * size, size)
                _block(x, out, block * size, rows, slots, nodes, depth, leaves, shape)

    return forest


@T.macro
def _walk(at, root, depth, nodes, seen, row, lanes):
    """From the root of a tree to the leaves of `lanes` rows."""
    for lane in T.unroll(lanes):
        at[lane] = root
    steps(at, depth, nodes, seen, row, 1, ROWS, lanes)


@T.macro
def _many_rows(x, out, first, count, slots, nodes, depth, leaves, shape):
    seen = T.alloc_buffer((shape.slots * ROWS + 1,), shape.key, scope="local")
    total = T.alloc_buffer((shape.columns * ROWS,), shape.value, scope="local")
    at = T.alloc_buffer((WALKS,), "int32", scope="local")
    read_rows(x, slots, leaves, seen, total, first, count, ROWS, shape)
    for t in T.serial(shape.trees):
        for g in T.serial(count // WALKS):
            _walk(at, nodes.root[t], depth[t], nodes, seen, g * WALKS, WALKS)
            for lane in T.unroll(WALKS):
                shape.add_leaf(total, leaves, t, nodes.leaf[at[lane]], g * WALKS + lane, ROWS, shape.columns)
        for tail in T.serial(count % WALKS):
            _walk(at, nodes.root[t], depth[t], nodes, seen, count - 1 - tail, 1)
            shape.add_leaf(total, leaves, t, nodes.leaf[at[0]], count - 1 - tail, ROWS, shape.columns)
    write_rows(out, total, first, count, ROWS, shape)


@T.macro
def _block(x, out, first, rows, slots, nodes, depth, leaves, shape):
    count: T.int64 = rows
    if count < WALKS:
        few_rows(x, out, first, count, slots, nodes, leaves, shape)
    else:
        _many_rows(x, out, first, count, slots, nodes, depth, leaves, shape)
