"""Decision trees and everything made of them.

A tree compares float32 values with float64 thresholds and goes left where x <= threshold. Sums are float64,
in the order of the trees. Histogram-based boosting is in `histograms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import (
    WIDE,
    Classes,
    most_probable,
    positive_place,
    two_columns,
)
from neo_magics.compiler.frontends.forest import (
    MISSING_LEFT,
    MISSING_RIGHT,
    Forest,
    Tree,
    at_most,
)
from neo_magics.compiler.frontends.forest_kernels import emit_forest
from neo_magics.compiler.frontends.tabular import Graph

Array = np.ndarray[Any, Any]


def regress_tree(graph: Graph, model: Any, x: Any) -> Any:
    """DecisionTreeRegressor, ExtraTreeRegressor."""
    return _sums(graph, [model], x)


def regress_forest(graph: Graph, model: Any, x: Any) -> Any:
    """RandomForestRegressor, ExtraTreesRegressor: the mean of the trees."""
    return _mean(graph, _sums(graph, model.estimators_, x), len(model.estimators_))


def classify_tree(graph: Graph, model: Any, x: Any) -> Classes | list[Classes]:
    """DecisionTreeClassifier, ExtraTreeClassifier."""
    return _per_output(graph, model, _sums(graph, [model], x))


def classify_forest(graph: Graph, model: Any, x: Any) -> Classes | list[Classes]:
    """RandomForestClassifier, ExtraTreesClassifier: the mean of the trees' probabilities."""
    sums = _sums(graph, model.estimators_, x)
    return _per_output(graph, model, _mean(graph, sums, len(model.estimators_)))


def regress_boosting(graph: Graph, model: Any, x: Any) -> Any:
    """GradientBoostingRegressor."""
    return _boosted(graph, model, x)


def classify_boosting(graph: Graph, model: Any, x: Any) -> Classes:
    """GradientBoostingClassifier with log loss or exponential loss."""
    sums = _boosted(graph, model, x)
    if graph.width(sums) > 1:
        return most_probable(graph, graph.emit(relax.op.nn.softmax(sums, 1)))
    steep = 2.0 if model.loss == "exponential" else 1.0
    scaled = graph.emit(relax.op.multiply(sums, graph.const(steep, WIDE)))
    probability = two_columns(graph, graph.emit(relax.op.sigmoid(scaled)))
    return Classes(positive_place(graph, sums, inclusive=True), probability)


def _sums(graph: Graph, models: Sequence[Any], x: Any) -> Any:
    trees = [tree_of(model.tree_) for model in models]
    width = 1 if trees[0].value.ndim == 1 else trees[0].value.shape[1]
    return emit_forest(graph, Forest(trees, graph.width(x), np.zeros(width), "float32", WIDE), x)


def tree_of(tree: Any, scale: float = 1.0, column: int = 0) -> Tree:
    """scikit-learn's arrays; a leaf's value is [outputs, classes], of which the padding is left out."""
    flat = np.concatenate(
        [tree.value[:, output, : int(count)] for output, count in enumerate(np.atleast_1d(tree.n_classes))], 1
    )
    left = np.asarray(tree.children_left, np.int64)
    return Tree(
        left=left,
        right=np.asarray(tree.children_right, np.int64),
        feature=np.asarray(tree.feature, np.int64),
        threshold=at_most(np.where(left < 0, 0.0, tree.threshold), "float32"),
        missing=np.where(tree.missing_go_to_left, MISSING_LEFT, MISSING_RIGHT),
        value=scale * (flat[:, 0] if flat.shape[1] == 1 else flat),
        column=column,
    )


def _mean(graph: Graph, sums: Any, trees: int) -> Any:
    return graph.emit(relax.op.divide(sums, graph.const(float(trees), WIDE)))


def _per_output(graph: Graph, model: Any, probability: Any) -> Classes | list[Classes]:
    if model.n_outputs_ == 1:
        return most_probable(graph, probability)
    ends = np.cumsum([0, *model.n_classes_]).tolist()
    parts = [graph.columns(probability, begin, end) for begin, end in pairwise(ends)]
    return [most_probable(graph, part) for part in parts]


def _boosted(graph: Graph, model: Any, x: Any) -> Any:
    rounds, columns = model.estimators_.shape
    trees = [
        tree_of(model.estimators_[r, c].tree_, model.learning_rate, c)
        for r in range(rounds)
        for c in range(columns)
    ]
    zeros = np.zeros((1, graph.width(x)), np.float32)
    base = np.asarray(model._raw_predict_init(zeros)).reshape(-1)
    return emit_forest(graph, Forest(trees, graph.width(x), base, "float32", WIDE), x)


def boosting_problems(model: Any) -> list[str]:
    """A first guess that looks at the features cannot be a constant."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    known = isinstance(model.init_, DummyClassifier | DummyRegressor) or model.init == "zero"
    return [] if known else [f"init={type(model.init_).__name__}"]


CONVERTERS: dict[str, Any] = {
    "DecisionTreeRegressor": regress_tree,
    "ExtraTreeRegressor": regress_tree,
    "RandomForestRegressor": regress_forest,
    "ExtraTreesRegressor": regress_forest,
    "DecisionTreeClassifier": classify_tree,
    "ExtraTreeClassifier": classify_tree,
    "RandomForestClassifier": classify_forest,
    "ExtraTreesClassifier": classify_forest,
    "GradientBoostingRegressor": regress_boosting,
    "GradientBoostingClassifier": classify_boosting,
}
PROBLEMS: dict[str, Any] = {
    "GradientBoostingRegressor": boosting_problems,
    "GradientBoostingClassifier": boosting_problems,
}
