"""The tables of a forest that is walked, for `kernels.trees`: breadth first, the right child behind the left
one, leaves that lead to themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neo_magics.compiler.frontends.forest import LEAF, Forest, Slots, Tree
from neo_magics.compiler.kernels.trees import ForestShape

Array = np.ndarray[Any, Any]


@dataclass
class _Nodes:
    """The nodes of all trees in the making."""

    slots: Slots = field(default_factory=Slots)
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
        self.slot.append(self.slots.places(tree, order))
        self.threshold.append(np.where(leaf, np.inf, tree.threshold[order]).astype(key))
        self.left.append(left + self.count)
        self.source.append(order)
        self.count += len(order)


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


def walk_tables(forest: Forest, data: str) -> tuple[ForestShape, list[Array]]:
    """The kernel's shape and its tables in the order of its parameters; `data` is the rows' dtype."""
    nodes = _Nodes()
    for tree in forest.trees:
        nodes.add(tree, forest.key)
    vectors = bool(forest.trees) and forest.trees[0].value.ndim > 1
    feature, missing = nodes.slots.tables(forest.key)
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
        slots=len(feature),
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
