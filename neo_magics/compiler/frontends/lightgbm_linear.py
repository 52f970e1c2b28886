"""LightGBM's linear trees: a leaf is a constant and a weighted sum of some features.

The sums of all trees are linear in a row once its leaves are known. So a leaf is a row of numbers, a constant
and a weight for each feature, which the forest's kernel adds up; the row is multiplied with them at the end.
A leaf that misses one of its features has a plain value instead: a question for each of them leads there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.forest import LEAF, MISSING_LEFT, Tree
from neo_magics.compiler.frontends.tabular import Graph
from neo_magics.compiler.frontends.unsupported import unsupported

Array = np.ndarray[Any, Any]
MOST_NUMBERS = 512  # of a leaf: the kernel holds the sums of a block of rows on its stack


def is_linear(sections: list[dict[str, str]]) -> bool:
    """Whether any of the trees has linear leaves."""
    return any(tree.get("is_linear", "0").strip() == "1" for tree in sections)


def numbers_of_a_leaf(features: int, columns: int) -> int:
    """A constant and the weights of all features, for each column of the sums."""
    numbers = columns * (1 + features)
    if numbers > MOST_NUMBERS:
        what = f"linear trees of {features} features and {columns} classes"
        raise unsupported(
            "LightGBM", {what: [""]}, f"At most {MOST_NUMBERS} weights fit: use fewer features."
        )
    return numbers


def with_linear_leaves(
    tree: Tree, section: Mapping[str, str], features: int, columns: int, missing: int
) -> Tree:
    """`tree` with a row of numbers for each leaf; `missing` + i is the column that asks whether i is NaN.

    The leaves of `tree` are its last nodes, in LightGBM's order.
    """
    first = int(np.count_nonzero(tree.left != LEAF))
    grown = _Growing(tree, numbers_of_a_leaf(features, columns), tree.column * (1 + features), missing)
    if section.get("is_linear", "0").strip() != "1":
        return grown.done()
    counts = np.array(section["num_features"].split(), np.int64)
    ends = np.cumsum(counts)
    used = np.array(section.get("leaf_features", "").split(), np.int64)
    weights = np.array(section.get("leaf_coeff", "").split(), np.float64)
    for leaf, constant in enumerate(np.array(section["leaf_const"].split(), np.float64)):
        own = slice(ends[leaf] - counts[leaf], ends[leaf])
        grown.replace(first + leaf, constant, used[own], weights[own])
    return grown.done()


class _Growing:
    """A tree whose leaves become rows of numbers, and chains of questions before them."""

    def __init__(self, tree: Tree, numbers: int, begin: int, missing: int) -> None:
        self._parts = [
            list(part) for part in (tree.left, tree.right, tree.feature, tree.threshold, tree.missing)
        ]
        self._begin, self._missing, self._column = begin, missing, tree.column
        self._value = [np.zeros(numbers) for _node in tree.left]
        for node, value in enumerate(tree.value):
            self._value[node][begin] = value

    def replace(self, leaf: int, constant: float, features: Array, weights: Array) -> None:
        """The linear function in place of the plain value, for rows that have all of its features."""
        plain, node = self._value[leaf], leaf
        for feature in features:
            right, left = self._leaf(plain), self._leaf(plain)
            for part, new in zip(
                self._parts, (left, right, self._missing + feature, 0.5, MISSING_LEFT), strict=True
            ):
                part[node] = new
            node = left
        row = np.zeros_like(plain)
        row[self._begin] = constant
        np.add.at(row, self._begin + 1 + features, weights)
        self._value[node] = row

    def _leaf(self, value: Array) -> int:
        for part, new in zip(self._parts, (LEAF, LEAF, 0, 0.0, 0.0), strict=True):
            part.append(new)
        self._value.append(value)
        return len(self._value) - 1

    def done(self) -> Tree:
        left, right, feature, threshold, missing = (np.array(part) for part in self._parts)
        return Tree(left, right, feature, threshold, missing, np.stack(self._value), self._column)


def emit_linear_sums(graph: Graph, numbers: Any, features: int, columns: int) -> Any:
    """[rows, columns] from the numbers of each row's leaves; a weight of 0 leaves its feature out."""
    dtype = graph.dtype(numbers)
    x, zero = graph.cast(graph.x, dtype), graph.const(0.0, dtype)
    sums = []
    for column in range(columns):
        begin = column * (1 + features)
        weights = graph.columns(numbers, begin + 1, begin + 1 + features)
        products = graph.emit(relax.op.multiply(weights, x))
        unused = graph.emit(relax.op.equal(weights, zero))
        kept = graph.emit(relax.op.where(unused, zero, products))
        total = graph.emit(relax.op.sum(kept, [1], keepdims=True))
        sums.append(graph.emit(relax.op.add(graph.columns(numbers, begin, begin + 1), total)))
    return graph.emit(relax.op.concat(sums, 1)) if columns > 1 else sums[0]
