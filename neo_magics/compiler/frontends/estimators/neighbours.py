"""Nearest neighbours by comparing with all of them.

Where several are equally far away and not all of them are among the nearest, the first of the training data
count. scikit-learn takes any, by the layout of its trees: such rows can differ by one neighbour's share.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import WIDE, Classes, most_probable, normalised
from neo_magics.compiler.frontends.tabular import Graph


def classify_neighbours(graph: Graph, model: Any, x: Any) -> Classes:
    """KNeighborsClassifier of one output: the shares of the neighbours' classes."""
    weight, votes = _nearest(graph, model, x, np.eye(len(model.classes_))[np.asarray(model._y)])
    summed = graph.emit(relax.op.sum(graph.emit(relax.op.multiply(weight, votes)), 1))
    return most_probable(graph, normalised(graph, summed))


def regress_neighbours(graph: Graph, model: Any, x: Any) -> Any:
    """KNeighborsRegressor: the (weighted) mean of the neighbours' values."""
    values = np.asarray(model._y, np.float64)
    weight, found = _nearest(graph, model, x, values.reshape(len(values), -1))
    summed = graph.emit(relax.op.sum(graph.emit(relax.op.multiply(weight, found)), 1))
    return graph.emit(relax.op.divide(summed, graph.emit(relax.op.sum(weight, 1))))


def _nearest(graph: Graph, model: Any, x: Any, targets: Any) -> tuple[Any, Any]:
    """The weights [rows, k, 1] and the targets [rows, k, columns] of the k nearest."""
    rows = graph.emit(relax.op.expand_dims(graph.cast(x, WIDE), 1))
    apart = graph.emit(relax.op.subtract(rows, graph.const(np.asarray(model._fit_X)[None], WIDE)))
    if model.effective_metric_ == "manhattan":
        distance = graph.emit(relax.op.sum(graph.emit(relax.op.abs(apart)), 2))
    else:
        distance = graph.emit(relax.op.sum(graph.emit(relax.op.multiply(apart, apart)), 2))
    both = graph.emit(relax.op.topk(distance, model.n_neighbors, 1, "both", largest=False, dtype="int64"))
    near, place = (graph.emit(relax.TupleGetItem(both, number)) for number in (0, 1))
    found = graph.emit(relax.op.take(graph.const(targets, WIDE), place, 0))
    return graph.emit(relax.op.expand_dims(_weights(graph, model, near), 2)), found


def _weights(graph: Graph, model: Any, near: Any) -> Any:
    one = graph.const(1.0, WIDE)
    if model.weights == "uniform":
        return graph.emit(relax.op.ones_like(near))
    length = near if model.effective_metric_ == "manhattan" else graph.emit(relax.op.sqrt(near))
    same = graph.emit(relax.op.equal(length, graph.const(0.0, WIDE)))
    any_same = graph.emit(relax.op.max(graph.cast(same, WIDE), 1, keepdims=True))
    safe = graph.emit(relax.op.where(same, one, length))
    inverse = graph.emit(relax.op.divide(one, safe))
    hit = graph.emit(relax.op.greater(any_same, graph.const(0.5, WIDE)))
    return graph.emit(relax.op.where(hit, graph.cast(same, WIDE), inverse))


def problems(model: Any) -> list[str]:
    """Two distances, two weightings, one output for classes."""
    found = []
    if model.effective_metric_ not in ("euclidean", "manhattan"):
        found.append(f"metric={model.effective_metric_!r}")
    if model.weights not in ("uniform", "distance"):
        found.append("weights of its own")
    if isinstance(getattr(model, "classes_", None), list):
        found.append("several outputs")
    return found


CONVERTERS: dict[str, Any] = {
    "KNeighborsClassifier": classify_neighbours,
    "KNeighborsRegressor": regress_neighbours,
}
PROBLEMS: dict[str, Any] = dict.fromkeys(CONVERTERS, problems)
