"""A tree ensemble, whoever trained it.

Readers (XGBoost, LightGBM, scikit-learn) make `Tree`s: a row goes right where its feature is *greater* than
the node's threshold. `forest_bits` and `forest_walk` lay them out for the two kernels, which share their
slots: one for each pair of feature and meaning of a missing value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neo_magics.compiler.kernels.tree_frame import ROWS

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
    """Trees whose values are added up, from `base`, in `value` precision; `key` is that of comparisons.

    `sets` are pairs of a feature and categories: one that is asked for as feature number `features` + i is 1
    for a row whose category is among the i-th ones, else 0.
    """

    trees: Sequence[Tree]
    features: int
    base: Array
    key: str
    value: str
    sets: Sequence[tuple[int, tuple[int, ...]]] = ()

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
class Categories:
    """The sets of categories of a forest with `features` features in the making."""

    features: int
    numbers: dict[tuple[int, tuple[int, ...]], int] = field(default_factory=dict)

    def column(self, feature: int, members: Sequence[int]) -> int:
        """The number under which a node asks whether the category of `feature` is one of `members`."""
        pair = (int(feature), tuple(sorted(int(member) for member in members)))
        return self.features + self.numbers.setdefault(pair, len(self.numbers))


@dataclass
class Slots:
    """The slots of all trees in the making: (feature, what NaN counts as) → number."""

    numbers: dict[tuple[int, float], int] = field(default_factory=dict)

    def places(self, tree: Tree, nodes: Array) -> Array:
        """Where the rows of each of `nodes`' slots begin in the kernel's buffer; a leaf takes the first."""
        return np.array(
            [
                0
                if tree.left[node] == LEAF
                else self.numbers.setdefault(
                    (int(tree.feature[node]), float(tree.missing[node])), len(self.numbers)
                )
                * ROWS
                for node in nodes
            ],
            np.int32,
        )

    def tables(self, key: str) -> list[Array]:
        """The feature of each slot, and what a missing value is there."""
        pairs = list(self.numbers) or [(0, 0.0)]
        return [np.array([f for f, _ in pairs], np.int32), np.array([m for _, m in pairs], key)]
