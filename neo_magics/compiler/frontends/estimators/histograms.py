"""Histogram-based boosting, with splits by category.

Everything is float64; a row goes left where x <= threshold. The model's own preprocessor puts the categorical
features first and encodes each category by its place; a category that it has not seen is a missing value.
"""

from __future__ import annotations

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
from neo_magics.compiler.frontends.estimators.preprocessing import encode_ordinal, ordinal_problems, select
from neo_magics.compiler.frontends.forest import (
    MISSING_LEFT,
    MISSING_RIGHT,
    Categories,
    Forest,
    Tree,
    at_most,
)
from neo_magics.compiler.frontends.forest_kernels import emit_forest
from neo_magics.compiler.frontends.tabular import Graph


def regress_histogram(graph: Graph, model: Any, x: Any) -> Any:
    """HistGradientBoostingRegressor."""
    sums = _sums(graph, model, x)
    return graph.emit(relax.op.exp(sums)) if model.loss in ("poisson", "gamma") else sums


def classify_histogram(graph: Graph, model: Any, x: Any) -> Classes:
    """HistGradientBoostingClassifier."""
    sums = _sums(graph, model, x)
    if graph.width(sums) > 1:
        return most_probable(graph, graph.emit(relax.op.nn.softmax(sums, 1)))
    probability = two_columns(graph, graph.emit(relax.op.sigmoid(sums)))
    return Classes(positive_place(graph, sums), probability)


def _sums(graph: Graph, model: Any, x: Any) -> Any:
    columns = model.n_trees_per_iteration_
    categories = Categories(graph.width(x))
    trees = [
        _tree(predictor, column, categories)
        for predictors in model._predictors
        for column, predictor in enumerate(predictors)
    ]
    base = np.broadcast_to(np.asarray(model._baseline_prediction, np.float64).reshape(-1), (columns,))
    forest = Forest(trees, categories.features, base, WIDE, WIDE, list(categories.numbers))
    return emit_forest(graph, forest, _encoded(graph, model, x))


def _encoded(graph: Graph, model: Any, x: Any) -> Any:
    """The categorical features encoded and in front of the others, as the trees want them."""
    encoder = _encoder(model)
    if encoder is None:
        return x
    categorical = np.asarray(model.is_categorical_, bool)
    places = encode_ordinal(graph, encoder, select(graph, np.flatnonzero(categorical), x))
    if categorical.all():
        return places
    others = graph.cast(select(graph, np.flatnonzero(~categorical), x), WIDE)
    return graph.emit(relax.op.concat([places, others], 1))


def _encoder(model: Any) -> Any | None:
    if model._preprocessor is None or not np.any(model.is_categorical_):
        return None
    return model._preprocessor.named_transformers_["encoder"]


def _tree(predictor: Any, column: int, categories: Categories) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, -1, nodes["right"].astype(np.int64))
    feature = nodes["feature_idx"].astype(np.int64)
    threshold = at_most(np.where(leaf, 0.0, nodes["num_threshold"]), WIDE)
    missing = np.where(nodes["missing_go_to_left"].astype(bool), MISSING_LEFT, MISSING_RIGHT)
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf):  # the set goes left: exchanged
        words = np.ascontiguousarray(predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]], np.uint32)
        members = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
        feature[node] = categories.column(feature[node], members.tolist())
        left[node], right[node] = right[node], left[node]
        threshold[node], missing[node] = 0.0, -missing[node]
    return Tree(
        left=left,
        right=right,
        feature=feature,
        threshold=threshold,
        missing=missing,
        value=np.asarray(nodes["value"], np.float64),
        column=column,
    )


def histogram_problems(model: Any) -> list[str]:
    """Categories must be numbers."""
    encoder = _encoder(model)
    return ordinal_problems(encoder) if encoder is not None else []


CONVERTERS: dict[str, Any] = {
    "HistGradientBoostingRegressor": regress_histogram,
    "HistGradientBoostingClassifier": classify_histogram,
}
PROBLEMS: dict[str, Any] = dict.fromkeys(CONVERTERS, histogram_problems)
