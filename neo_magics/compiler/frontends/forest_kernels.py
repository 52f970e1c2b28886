"""A forest in a Relax graph: which of the two kernels computes its sums."""

from __future__ import annotations

from typing import Any

from neo_magics.compiler.frontends.forest import LEAF, Forest, Tree
from neo_magics.compiler.frontends.forest_bits import bit_tables
from neo_magics.compiler.frontends.forest_walk import walk_tables
from neo_magics.compiler.kernels.tree_bits import bits_kernel
from neo_magics.compiler.kernels.trees import forest_kernel

# Instructions per row, measured: a step of a walk, and asking one node for a row in a vector of them.
_STEP, _ASK = 8.0, {"float32": 0.2, "float64": 0.3}


def emit_forest(graph: Any, forest: Forest, x: Any) -> Any:
    """The Relax expression of the sums [rows, columns]; `graph` is a `tabular.Graph`."""
    if not forest.trees:
        return graph.repeat_rows(forest.base.astype(forest.value))
    if asks_every_node(forest):
        bits, arrays = bit_tables(forest, graph.dtype(x))
        kernel, shape = bits_kernel(bits), bits.forest
    else:
        shape, arrays = walk_tables(forest, graph.dtype(x))
        kernel = forest_kernel(shape)
    return graph.call_kernel(
        kernel, "forest", [x, *map(graph.const, arrays)], (graph.rows, shape.columns), shape.value
    )


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
