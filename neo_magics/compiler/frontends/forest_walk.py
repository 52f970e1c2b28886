"""The tables of what is walked, for `kernels.tree_frame`: breadth first, the right child behind the left one,
leaves that lead to themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neo_magics.compiler.frontends.forest import LEAF, Forest, Slots, Tree
from neo_magics.compiler.kernels.tree_frame import IS_LEAF, TREES, ForestShape

Array = np.ndarray[Any, Any]


@dataclass
class Walks:
    """The nodes and leaves of all trees in the making."""

    key: str
    slots: Slots = field(default_factory=Slots)
    slot: list[Array] = field(default_factory=list)
    threshold: list[Array] = field(default_factory=list)
    left: list[Array] = field(default_factory=list)
    leaf: list[Array] = field(default_factory=list)
    value: list[Array] = field(default_factory=list)
    root: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    count: int = 0
    leaves: int = 0

    def add(self, tree: Tree, leaves: Array) -> None:
        """Append `tree` in breadth-first order, its `leaves` (node numbers) in theirs."""
        order, left, depth = _breadth_first(tree)
        ends = tree.left[order] == LEAF
        number = np.zeros(len(tree.left), np.int32)
        number[leaves] = self.leaves + np.arange(len(leaves))
        self.root.append(self.count)
        self.depth.append(depth)
        self.slot.append(self.slots.places(tree, order))
        self.threshold.append(np.where(ends, np.inf, tree.threshold[order]).astype(self.key))
        self.left.append(left + self.count)
        self.leaf.append(number[order])
        self.value.append(tree.value[leaves])
        self.count += len(order)
        self.leaves += len(leaves)

    def shape(self, forest: Forest, data: str) -> ForestShape:
        """What the kernels are made for, once all trees are here."""
        return ForestShape(
            features=forest.features,
            slots=len(self.slots.tables(self.key)[0]),
            nodes=self.count,
            trees=len(self.root),
            columns=forest.columns,
            leaves=self.leaves,
            vectors=self.value[0].ndim > 1,
            data=data,
            key=forest.key,
            value=forest.value,
        )

    def nodes(self) -> list[Array]:
        """Record and leaf of each node, and the root of each tree."""
        padding = -len(self.root) % TREES
        root = np.array([*self.root, *[self.root[-1]] * padding], np.int32)
        slot, threshold, left = map(np.concatenate, (self.slot, self.threshold, self.left))
        return [_records(slot, threshold, left), np.concatenate(self.leaf), root]

    def ends(self, forest: Forest) -> list[Array]:
        """The column of each tree, the values of all leaves, and what the sums begin with."""
        columns = np.array([tree.column for tree in forest.trees], np.int32)
        values = np.concatenate(self.value).astype(forest.value)
        return [columns, values, forest.base.astype(forest.value)]


def _records(slot: Array, threshold: Array, left: Array) -> Array:
    """`tree_frame.Nodes.node`, int64 [nodes, 2]."""
    bits = threshold.view(f"uint{8 * threshold.itemsize}").astype(np.uint64).view(np.int64)
    leaf = np.where(left == np.arange(len(left)), IS_LEAF, 0)
    return np.stack([bits, slot.astype(np.int64) << 32 | leaf | left], axis=1)


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
    walks = Walks(forest.key)
    for tree in forest.trees:
        walks.add(tree, np.flatnonzero(tree.left == LEAF))
    depth = np.array(walks.depth, np.int32)
    tables = [*walks.slots.tables(forest.key), *walks.nodes(), depth, *walks.ends(forest)]
    return walks.shape(forest, data), tables
