"""A forest in a Relax graph: which of the two kernels computes its sums."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neo_magics.compiler.frontends.forest import LEAF, Forest, Tree
from neo_magics.compiler.frontends.forest_bits import bit_tables
from neo_magics.compiler.frontends.forest_walk import walk_tables
from neo_magics.compiler.kernels.categories import BITS, category_kernel
from neo_magics.compiler.kernels.tree_bits import bits_kernel
from neo_magics.compiler.kernels.trees import forest_kernel
from neo_magics.errors import InputError

# Instructions per row, measured: a step of a walk, and asking one node for a row in a vector of them.
_STEP, _ASK = 8.0, {"float32": 0.2, "float64": 0.3}


def emit_forest(graph: Any, forest: Forest, x: Any) -> Any:
    """The Relax expression of the sums [rows, columns]; `graph` is a `tabular.Graph`."""
    if not forest.trees:
        return graph.repeat_rows(forest.base.astype(forest.value))
    _check_numbers(forest)
    if forest.sets:
        x, forest = _with_categories(graph, forest, x)
    if asks_every_node(forest):
        bits, arrays = bit_tables(forest, graph.dtype(x))
        kernel, shape = bits_kernel(bits), bits.forest
    else:
        shape, arrays = walk_tables(forest, graph.dtype(x))
        kernel = forest_kernel(shape)
    return graph.call_kernel(
        kernel, "forest", [x, *map(graph.const, arrays)], (graph.rows, shape.columns), shape.value
    )


def _check_numbers(forest: Forest) -> None:
    """Raise InputError where a threshold is no number or a leaf's value is not finite."""
    bad = [
        number
        for number, tree in enumerate(forest.trees)
        if np.isnan(tree.threshold).any() or not np.isfinite(tree.value).all()
    ]
    if bad:
        listed = ", ".join(f"tree {number}" for number in bad[:5])
        raise InputError(
            f"Thresholds or leaves are not finite in {len(bad)} of {len(forest.trees)} trees ({listed}).",
            hint="Train the model again.",
        )


def _with_categories(graph: Any, forest: Forest, x: Any) -> tuple[Any, Forest]:
    """`x` with a column for each of the forest's sets, which are ordinary features then."""
    x = graph.cast(x, forest.key)
    sizes = [max(members, default=0) + 1 for _feature, members in forest.sets]
    firsts = np.cumsum([0, *(-(-size // BITS) for size in sizes)])
    bits = np.zeros(firsts[-1], np.uint32)
    for first, (_feature, members) in zip(firsts, forest.sets, strict=False):
        for member in members:
            bits[first + member // BITS] |= np.uint32(1 << member % BITS)
    tables = [np.array(part, np.int32) for part in ([f for f, _ in forest.sets], firsts[:-1], sizes)]
    kernel = category_kernel(forest.features, len(sizes), len(bits), graph.dtype(x))
    width = forest.features + len(sizes)
    arguments = [x, *map(graph.const, [*tables, bits.view(np.int32)])]
    wide = graph.call_kernel(kernel, "categories", arguments, (graph.rows, width), graph.dtype(x))
    return wide, replace(forest, features=width, sets=())


def asks_every_node(forest: Forest) -> bool:
    """Whether asking all nodes of each tree costs less than walking to its deepest leaf."""
    asked = sum(int((tree.left != LEAF).sum()) for tree in forest.trees)
    return asked * _ASK[forest.key] <= _STEP * sum(_depth(tree) for tree in forest.trees)


def _depth(tree: Tree) -> int:
    depth, level = 0, [0]
    while level := [
        int(child)
        for node in level
        if tree.left[node] != LEAF
        for child in (tree.left[node], tree.right[node])
    ]:
        depth += 1
    return depth
