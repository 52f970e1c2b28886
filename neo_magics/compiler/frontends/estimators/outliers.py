"""Detectors of outliers: 1 for a row like those that were learnt, -1 for another, and how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import WIDE
from neo_magics.compiler.frontends.estimators.linear import regress_svm, svm_problems
from neo_magics.compiler.frontends.estimators.trees import tree_of
from neo_magics.compiler.frontends.forest import Forest
from neo_magics.compiler.frontends.forest_kernels import emit_forest
from neo_magics.compiler.frontends.tabular import Graph


@dataclass(frozen=True)
class Outliers:
    """Whether a row is one that was learnt [rows], as booleans, and the decision function [rows]."""

    inside: Any
    score: Any


def isolation(graph: Graph, model: Any, x: Any) -> Outliers:
    """IsolationForest: rows that few splits set apart are outliers (Liu, Ting and Zhou 2008).

    score = -2^(-depth / usual depth) - offset, where depth is summed over the trees.
    """
    usual = _usual_depth(model)
    depth = emit_forest(graph, _forest(graph, model, x), x)
    power = graph.emit(relax.op.multiply(depth, graph.const(-np.log(2.0) / usual, WIDE)))
    score = graph.emit(relax.op.negative(graph.emit(relax.op.exp(power))))
    score = graph.emit(relax.op.subtract(score, graph.const(float(model.offset_), WIDE)))
    cut = _first_inside(lambda sums: -np.power(2.0, -sums / usual) - model.offset_ >= 0)
    inside = graph.emit(relax.op.greater_equal(depth, graph.const(cut, WIDE)))
    return Outliers(graph.flat(inside), graph.flat(score))


def _usual_depth(model: Any) -> float:
    from sklearn.ensemble._iforest import _average_path_length

    return float(len(model.estimators_) * _average_path_length(np.array([model._max_samples]))[0])


def _forest(graph: Graph, model: Any, x: Any) -> Forest:
    """Trees whose values are depths: a leaf of several rows would be split further."""
    parts = zip(
        model.estimators_,
        model.estimators_features_,
        model._decision_path_lengths,
        model._average_path_length_per_tree,
        strict=True,
    )
    trees = []
    for each, features, steps, further in parts:
        tree = tree_of(each.tree_)
        place = np.asarray(features)[np.maximum(tree.feature, 0)]
        trees.append(replace(tree, feature=place.astype(np.int64), value=steps + further - 1.0))
    return Forest(trees, graph.width(x), np.zeros(1), "float32", WIDE)


def _first_inside(inside: Callable[[float], bool]) -> float:
    """The least float64 that is `inside`: exact, where a rounded score might fall on the other side of 0."""
    low, high = 0, int(np.array(1e300).view(np.int64))
    while low < high:
        middle = (low + high) // 2
        if inside(float(np.array(middle).view(np.float64))):
            high = middle
        else:
            low = middle + 1
    return float(np.array(low).view(np.float64))


def one_class(graph: Graph, model: Any, x: Any) -> Outliers:
    """OneClassSVM."""
    score = regress_svm(graph, model, x)
    inside = graph.emit(relax.op.greater(score, graph.const(0.0, WIDE)))
    return Outliers(graph.flat(inside), graph.flat(score))


def isolation_problems(model: Any) -> list[str]:
    """All rows alike make trees of one leaf, which set nothing apart."""
    return [] if _usual_depth(model) > 0 else ["one row for each tree"]


CONVERTERS: dict[str, Any] = {"IsolationForest": isolation, "OneClassSVM": one_class}
PROBLEMS: dict[str, Any] = {"IsolationForest": isolation_problems, "OneClassSVM": svm_problems}
