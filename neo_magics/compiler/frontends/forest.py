"""A tree ensemble, whoever trained it, and the tables that the kernel walks.

Readers (XGBoost, LightGBM, scikit-learn) make `Tree`s: a row goes right where its feature is *greater* than
the node's threshold. `tables` lays them out: breadth first, the right child behind the left one, leaves that
lead to themselves, and one slot for each pair of feature and meaning of a missing value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neo_magics.compiler.kernels.trees import ROWS, ForestShape, forest_kernel

Array = np.ndarray[Any, Any]
LEAF = -1
MISSING_RIGHT, MISSING_LEFT = np.inf, -np.inf  # what NaN counts as; a number stands for itself


@dataclass(frozen=True)
class Tree:
    """One tree as arrays over its nodes, the root first.

    `left` and `right` are node numbers, `LEAF` in both for a leaf. `threshold` is of the ensemble's key dtype
    and finite; `missing` what NaN counts as there. `value` is [nodes] with a number for the column `column`,
    or [nodes, columns].
    """

    left: Array
    right: Array
    feature: Array
    threshold: Array
    missing: Array
    value: Array
    column: int = 0


@dataclass(frozen=True)
class Forest:
    """Trees whose values are added up, from `base`, in `value` precision; `key` is that of comparisons."""

    trees: Sequence[Tree]
    features: int
    base: Array
    key: str
    value: str

    @property
    def columns(self) -> int:
        """Numbers per row."""
        return len(self.base)


def strictly_below(threshold: Array, key: str) -> Array:
    """Thresholds t of "left where x < t" as those of "right where x > …"."""
    exact = np.asarray(threshold).astype(key)
    return np.asarray(np.nextafter(exact, np.array(-np.inf, key)))


def at_most(threshold: Array, key: str) -> Array:
    """Thresholds t of "left where x <= t", with x of dtype `key` and t as exact as it comes."""
    wide = np.asarray(threshold, np.float64)
    limit = np.finfo(key).max
    near = np.clip(wide, -limit, limit).astype(key)
    return np.where(near.astype(np.float64) > wide, np.nextafter(near, np.array(-np.inf, key)), near)


@dataclass
class _Nodes:
    """The nodes of all trees in the making."""

    slots: dict[tuple[int, float], int] = field(default_factory=dict)
    slot: list[Array] = field(default_factory=list)
    threshold: list[Array] = field(default_factory=list)
    left: list[Array] = field(default_factory=list)
    source: list[Array] = field(default_factory=list)
    root: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    count: int = 0

    def add(self, tree: Tree, key: str) -> None:
        """Append `tree` in breadth-first order."""
        order, left, depth = _breadth_first(tree)
        leaf = tree.left[order] == LEAF
        self.root.append(self.count)
        self.depth.append(depth)
        self.slot.append(self._slots(tree, order, leaf) * ROWS)
        self.threshold.append(np.where(leaf, np.inf, tree.threshold[order]).astype(key))
        self.left.append(left + self.count)
        self.source.append(order)
        self.count += len(order)

    def _slots(self, tree: Tree, order: Array, leaf: Array) -> Array:
        feature, missing = tree.feature[order], tree.missing[order]
        return np.array(
            [
                0 if end else self.slots.setdefault((int(f), float(m)), len(self.slots))
                for f, m, end in zip(feature, missing, leaf, strict=True)
            ],
            np.int32,
        )


def _breadth_first(tree: Tree) -> tuple[Array, Array, int]:
    """The nodes level by level, the new number of each one's left child (its own for a leaf), the depth."""
    order, level, depth = [0], [0], 0
    left: list[int] = []
    while level:
        below: list[int] = []
        for node in level:
            if tree.left[node] == LEAF:
                left.append(len(left))
                continue
            left.append(len(order) + len(below))
            below += [int(tree.left[node]), int(tree.right[node])]
        order += below
        depth += bool(below)
        level = below
    return np.array(order), np.array(left, np.int32), depth


def tables(forest: Forest, data: str) -> tuple[ForestShape, list[Array]]:
    """The kernel's shape and its tables in the order of its parameters; `data` is the rows' dtype."""
    nodes = _Nodes()
    for tree in forest.trees:
        nodes.add(tree, forest.key)
    slots = list(nodes.slots) or [(0, 0.0)]
    vectors = bool(forest.trees) and forest.trees[0].value.ndim > 1
    feature = np.array([f for f, _ in slots], np.int32)
    missing = np.array([m for _, m in slots], forest.key)
    shared = [feature, missing, *(np.concatenate(part) for part in (nodes.slot, nodes.threshold, nodes.left))]
    root, depth = np.array(nodes.root, np.int32), np.array(nodes.depth, np.int32)
    base = forest.base.astype(forest.value)
    if vectors:
        where, values = _leaf_vectors(forest, nodes)
    else:
        where = np.array([tree.column for tree in forest.trees], np.int32)
        values = _leaf_numbers(forest, nodes)
    shape = ForestShape(
        features=forest.features,
        slots=len(slots),
        nodes=nodes.count,
        trees=len(forest.trees),
        columns=forest.columns,
        leaves=len(values) if vectors else 0,
        data=data,
        key=forest.key,
        value=forest.value,
    )
    return shape, [*shared, where, values, root, depth, base]


def _leaf_numbers(forest: Forest, nodes: _Nodes) -> Array:
    parts = [tree.value[order] for tree, order in zip(forest.trees, nodes.source, strict=True)]
    return np.concatenate(parts).astype(forest.value)


def _leaf_vectors(forest: Forest, nodes: _Nodes) -> tuple[Array, Array]:
    """For each node the row of its vector in the table of leaves (0 for the others), and that table."""
    pairs = list(zip(forest.trees, nodes.source, strict=True))
    leaf = np.concatenate([tree.left[order] == LEAF for tree, order in pairs])
    values = np.concatenate([tree.value[order][tree.left[order] == LEAF] for tree, order in pairs])
    number = np.where(leaf, np.cumsum(leaf) - 1, 0)
    return number.astype(np.int32), values.astype(forest.value)


def emit_forest(graph: Any, forest: Forest, x: Any) -> Any:
    """The Relax expression of the sums [rows, columns]; `graph` is a `tabular.Graph`."""
    if not forest.trees:
        return graph.repeat_rows(forest.base.astype(forest.value))
    shape, arrays = tables(forest, graph.dtype(x))
    kernel = forest_kernel(shape)
    return graph.call_kernel(
        kernel, "forest", [x, *map(graph.const, arrays)], (graph.rows, shape.columns), shape.value
    )
