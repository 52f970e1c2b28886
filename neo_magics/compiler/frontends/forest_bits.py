"""The tables of a forest of small trees, for `kernels.tree_bits`: leaves as bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neo_magics.compiler.frontends.forest import LEAF, Forest, Tree
from neo_magics.compiler.frontends.forest_walk import Walks
from neo_magics.compiler.kernels.tree_bits import BITS, BitShape

Array = np.ndarray[Any, Any]


@dataclass
class _Words:
    """The words of all trees in the making, and what few rows walk."""

    walks: Walks
    slot: list[Array] = field(default_factory=list)
    threshold: list[Array] = field(default_factory=list)
    mask: list[Array] = field(default_factory=list)
    first: list[int] = field(default_factory=lambda: [0])  # node of each word
    leaf: list[int] = field(default_factory=list)  # number of each word's first one
    word: list[int] = field(default_factory=lambda: [0])  # the first of each tree

    def add(self, tree: Tree) -> None:
        """Append the words of `tree` from right to left."""
        order, nodes, begin, end = _in_order(tree)
        for low in reversed(range(0, len(order), BITS)):
            high = min(low + BITS, len(order))
            here = (begin < high) & (end > low)
            self.slot.append(self.walks.slots.places(tree, nodes[here]))
            self.threshold.append(tree.threshold[nodes[here]])
            self.mask.append(_without(begin[here].clip(low) - low, end[here].clip(max=high) - low))
            self.first.append(self.first[-1] + int(here.sum()))
            self.leaf.append(self.walks.leaves + low)
        self.word.append(len(self.leaf))
        self.walks.add(tree, order)


def bit_tables(forest: Forest, data: str) -> tuple[BitShape, list[Array]]:
    """The kernel's shape and its tables in the order of its parameters; `data` is the rows' dtype."""
    words = _Words(Walks(forest.key))
    for tree in forest.trees:
        words.add(tree)
    walks = words.walks
    # A forest of trees without a split has one node that nothing passes.
    slot = np.append(np.concatenate(words.slot), 0).astype(np.int32)
    threshold = np.append(np.concatenate(words.threshold), np.inf).astype(forest.key)
    mask = np.append(np.concatenate(words.mask), -1).astype(np.int32)
    begins = [np.array(part, np.int32) for part in (words.first, words.leaf, words.word)]
    tables = [*walks.slots.tables(forest.key), slot, threshold, mask, *begins, *walks.nodes()]
    shape = BitShape(walks.shape(forest, data), len(slot), len(words.leaf))
    return shape, [*tables, *walks.ends(forest)]


def _in_order(tree: Tree) -> tuple[Array, Array, Array, Array]:
    """The leaves from left to right; the inner nodes, and begin and end of the leaves on the left of each."""
    leaves: list[int] = []
    begins: dict[int, int] = {}
    spans: list[tuple[int, int, int]] = []
    waiting = [(0, False)]
    while waiting:
        node, left_is_done = waiting.pop()
        if tree.left[node] == LEAF:
            leaves.append(node)
        elif left_is_done:
            spans.append((node, begins.pop(node), len(leaves)))
            waiting.append((int(tree.right[node]), False))
        else:
            begins[node] = len(leaves)
            waiting += [(node, True), (int(tree.left[node]), False)]
    table = np.array(spans, np.int64).reshape(-1, 3)
    return np.array(leaves), table[:, 0], table[:, 1], table[:, 2]


def _without(begin: Array, end: Array) -> Array:
    """Words without the bits of leaves `begin` to `end`; leaf 0 is the highest bit."""
    cleared = ((np.int64(1) << (end - begin)) - 1) << (BITS - end)
    kept: Array = (~cleared & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return kept
