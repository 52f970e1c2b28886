"""Both kernels of tree ensembles on random trees, against one row's walk in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm

from neo_magics.compiler.frontends.forest import LEAF, MISSING_LEFT, MISSING_RIGHT, Forest, Tree
from neo_magics.compiler.frontends.forest_bits import bit_tables
from neo_magics.compiler.frontends.forest_kernels import asks_every_node
from neo_magics.compiler.frontends.forest_walk import walk_tables
from neo_magics.compiler.kernels.tree_bits import bits_kernel
from neo_magics.compiler.kernels.trees import forest_kernel

FEATURES = 3
ROWS = (1, 3, 4, 5, 15, 16, 17, 48, 49, 64, 65, 100, 130, 300)


def grown(rng: np.random.Generator, leaves: int, key: str, columns: int) -> Tree:
    """A tree of `leaves` leaves, split where chance says; `columns` above 0 makes its leaves vectors."""
    left, right, ends = [LEAF], [LEAF], [0]
    while len(ends) < leaves:
        node = ends.pop(int(rng.integers(len(ends))))
        left[node], right[node] = len(left), len(left) + 1
        ends += [left[node], right[node]]
        left += [LEAF, LEAF]
        right += [LEAF, LEAF]
    count = len(left)
    return Tree(
        left=np.array(left),
        right=np.array(right),
        feature=rng.integers(0, FEATURES, count),
        threshold=rng.integers(-3, 4, count).astype(key),
        missing=rng.choice([MISSING_LEFT, MISSING_RIGHT, 0.0], count),
        value=rng.integers(-9, 9, (count, columns) if columns else count).astype("float64"),
        column=int(rng.integers(2)) if not columns else 0,
    )


def walked(forest: Forest, row: np.ndarray) -> np.ndarray:
    total = forest.base.astype(forest.value)
    for tree in forest.trees:
        node = 0
        while tree.left[node] != LEAF:
            seen = row[tree.feature[node]]
            seen = tree.missing[node] if np.isnan(seen) else seen
            node = (tree.right if seen > tree.threshold[node] else tree.left)[node]
        if tree.value.ndim > 1:
            total = total + tree.value[node]
        else:
            total[tree.column] += tree.value[node]
    return total


def compiled(kernel: Any, tables: list[Any], columns: int, dtype: str = "float64") -> Any:
    module = tvm.IRModule({"main": kernel.with_attr("global_symbol", "main")})
    run = tvm.compile(module, "llvm")["main"]

    def compute(x: np.ndarray) -> np.ndarray:
        result = tvm.runtime.empty((len(x), columns), dtype)
        run(tvm.runtime.tensor(x), *map(tvm.runtime.tensor, tables), result)
        return result.numpy()

    return compute


@pytest.mark.parametrize(
    ("key", "columns"),
    [("float32", 0), pytest.param("float64", 3, marks=pytest.mark.slow)],
    ids=["numbers", "vectors"],
)
def test_both_kernels_find_every_leaf(key: str, columns: int) -> None:
    rng = np.random.default_rng(1)
    trees = [grown(rng, leaves, key, columns) for leaves in (1, 2, 5, 31, 32, 33, 64, 65, 130)]
    forest = Forest(trees, FEATURES, np.arange(columns or 2), key, "float64")
    bits, tables = bit_tables(forest, key)
    shape, other_tables = walk_tables(forest, key)
    kernels = (
        compiled(bits_kernel(bits), tables, bits.forest.columns),
        compiled(forest_kernel(shape), other_tables, shape.columns),
    )
    for count in ROWS:
        x = rng.integers(-3, 4, (count, FEATURES)).astype(key)
        x[rng.random(x.shape) < 0.1] = np.nan
        expected = np.stack([walked(forest, row) for row in x])
        for kernel in kernels:
            np.testing.assert_array_equal(kernel(x), expected)


def test_small_trees_are_asked_and_large_ones_walked() -> None:
    rng = np.random.default_rng(2)
    small = Forest([grown(rng, 31, "float32", 0)], FEATURES, np.zeros(2), "float32", "float32")
    large = Forest([grown(rng, 3000, "float32", 0)], FEATURES, np.zeros(2), "float32", "float32")
    assert asks_every_node(small)
    assert not asks_every_node(large)


def test_trees_without_a_split() -> None:
    trees = [grown(np.random.default_rng(3), 1, "float32", 0)] * 2
    forest = Forest(trees, FEATURES, np.zeros(2), "float32", "float64")
    bits, tables = bit_tables(forest, "float32")
    x = np.zeros((3, FEATURES), "float32")
    expected = np.stack([walked(forest, row) for row in x])
    np.testing.assert_array_equal(compiled(bits_kernel(bits), tables, 2)(x), expected)
