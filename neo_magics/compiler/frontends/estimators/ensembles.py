"""Ensembles and wrappers of other estimators: bagging, stacking, boosting by votes, one per output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import (
    WIDE,
    Classes,
    most_probable,
    normalised,
    positive_place,
    two_columns,
)
from neo_magics.compiler.frontends.estimators.decisions import decide, decides
from neo_magics.compiler.frontends.estimators.preprocessing import select
from neo_magics.compiler.frontends.tabular import Graph

Parts = Iterator[tuple[str, Any]]


def inner(graph: Graph, model: Any, x: Any) -> Any:
    """The estimator that a wrapper holds, converted in its place."""
    return _convert(graph, _held(model), x)


def inner_parts(model: Any) -> Parts:
    """That estimator."""
    yield type(_held(model)).__name__, _held(model)


def _held(model: Any) -> Any:
    names = ("regressor_", "estimator_")
    return next(getattr(model, name) for name in names if hasattr(model, name))


def regress_outputs(graph: Graph, model: Any, x: Any) -> Any:
    """MultiOutputRegressor."""
    parts = [graph.cast(_convert(graph, part, x), WIDE) for part in model.estimators_]
    return graph.emit(relax.op.concat(parts, 1)) if len(parts) > 1 else parts[0]


def classify_outputs(graph: Graph, model: Any, x: Any) -> list[Classes]:
    """MultiOutputClassifier."""
    found = [_convert(graph, part, x) for part in model.estimators_]
    return [most_probable(graph, graph.cast(part.probability, WIDE)) for part in found]


def numbered_parts(model: Any) -> Parts:
    """The fitted estimators by number."""
    return ((f"estimator{number}", part) for number, part in enumerate(model.estimators_))


def probability_problems(model: Any) -> list[str]:
    """Estimators inside without probabilities, or that did not see every class."""
    classes = getattr(model, "classes_", [])
    found = [
        f"{type(part).__name__} without probabilities"
        for part in model.estimators_
        if not hasattr(part, "predict_proba")
    ]
    if not isinstance(classes, list) and any(
        len(getattr(part, "classes_", classes)) != len(classes) for part in model.estimators_
    ):
        found.append("an estimator that did not see every class")
    return sorted(set(found))


def bag_mean(graph: Graph, model: Any, x: Any) -> Any:
    """BaggingRegressor."""
    return _mean(graph, [graph.cast(part, WIDE) for part in _bagged(graph, model, x)])


def bag_classes(graph: Graph, model: Any, x: Any) -> Classes:
    """BaggingClassifier: the mean of the probabilities."""
    parts = [graph.cast(part.probability, WIDE) for part in _bagged(graph, model, x)]
    return most_probable(graph, _mean(graph, parts))


def _bagged(graph: Graph, model: Any, x: Any) -> list[Any]:
    every = np.arange(model.n_features_in_)
    return [
        _convert(graph, part, x if np.array_equal(features, every) else select(graph, features, x))
        for part, features in zip(model.estimators_, model.estimators_features_, strict=True)
    ]


def stack(graph: Graph, model: Any, x: Any) -> Any:
    """StackingClassifier, StackingRegressor: the last estimator sees what the first ones say."""
    parts = [
        _said(graph, part, method, x)
        for part, method in zip(model.estimators_, model.stack_method_, strict=True)
    ]
    if model.passthrough:
        parts.append(graph.cast(x, WIDE))
    return _convert(graph, model.final_estimator_, graph.emit(relax.op.concat(parts, 1)))


def _said(graph: Graph, part: Any, method: str, x: Any) -> Any:
    """What `part` hands on, [rows, columns]: of two classes the second one's probability alone."""
    if method == "decision_function":
        return decide(graph, part, x)
    found = _convert(graph, part, x)
    if not isinstance(found, Classes):
        return graph.cast(found, WIDE)
    if method == "predict":  # it was fitted on the numbers of the classes
        classes = graph.const(np.asarray(part.classes_), WIDE)
        return graph.emit(relax.op.expand_dims(graph.emit(relax.op.take(classes, found.place, 0)), 1))
    value = graph.cast(found.probability, WIDE)
    return graph.columns(value, 1, 2) if graph.width(value) == 2 else value


def stack_parts(model: Any) -> Parts:
    """All of them, the last one too."""
    names = [name for name, part in model.estimators if not isinstance(part, str)]
    yield from zip(names, model.estimators_, strict=True)
    yield "final_estimator", model.final_estimator_


def stack_problems(model: Any) -> list[str]:
    """Several outputs, and estimators whose decision values have no converter."""
    if isinstance(getattr(model, "classes_", None), list):
        return ["several outputs"]
    pairs = zip(model.estimators_, model.stack_method_, strict=True)
    silent = {type(part).__name__ for part, how in pairs if how == "decision_function" and not decides(part)}
    return [f"the decision values of {name}" for name in sorted(silent)]


def boost_by_votes(graph: Graph, model: Any, x: Any) -> Classes:
    """AdaBoostClassifier (SAMME): a weighted vote, in which the others' classes count against a class."""
    count = len(model.classes_)
    classes = graph.const(np.arange(count)[None], "int64")
    total: Any = None
    for part, weight in zip(model.estimators_, model.estimator_weights_, strict=False):
        place = graph.emit(relax.op.expand_dims(graph.cast(_convert(graph, part, x).place, "int64"), 1))
        chosen = graph.emit(relax.op.equal(place, classes))
        for_it, against = graph.const(weight, WIDE), graph.const(-weight / (count - 1), WIDE)
        vote = graph.emit(relax.op.where(chosen, for_it, against))
        total = vote if total is None else graph.emit(relax.op.add(total, vote))
    total = graph.emit(relax.op.divide(total, graph.const(model.estimator_weights_.sum(), WIDE)))
    if count > 2:
        scaled = graph.emit(relax.op.divide(total, graph.const(count - 1.0, WIDE)))
        place = graph.emit(relax.op.argmax(total, 1))
        return Classes(place, graph.emit(relax.op.nn.softmax(scaled, 1)))
    first, second = graph.columns(total, 0, 1), graph.columns(total, 1, 2)
    score = graph.emit(relax.op.subtract(second, first))
    return Classes(positive_place(graph, score), two_columns(graph, graph.emit(relax.op.sigmoid(score))))


def weighted_median(graph: Graph, model: Any, x: Any) -> Any:
    """AdaBoostRegressor: the first of the sorted predictions at which half of all weights are reached."""
    parts = [graph.cast(_convert(graph, part, x), WIDE) for part in model.estimators_]
    found = graph.emit(relax.op.concat(parts, 1)) if len(parts) > 1 else parts[0]
    order = graph.emit(relax.op.argsort(found, 1, dtype="int64"))
    weights = graph.const(model.estimator_weights_[: len(parts)], WIDE)
    reached = graph.emit(relax.op.cumsum(graph.emit(relax.op.take(weights, order, 0)), 1))
    half = graph.emit(relax.op.multiply(graph.columns(reached, len(parts) - 1, len(parts)), graph.const(0.5)))
    above = graph.cast(graph.emit(relax.op.greater_equal(reached, half)), "int64")
    place = graph.emit(relax.op.argmax(above, 1, keepdims=True))
    chosen = graph.emit(relax.op.gather_elements(order, place, 1))
    return graph.emit(relax.op.gather_elements(found, chosen, 1))


def one_against_rest(graph: Graph, model: Any, x: Any) -> Classes:
    """OneVsRestClassifier: the largest decision value, or probability, says the class.

    Of estimators that say no probabilities none are made.
    """
    scores = [_score(graph, part, x) for part in model.estimators_]
    likely = all(hasattr(part, "predict_proba") for part in model.estimators_)
    if len(scores) == 1:
        limit = 0.0 if decides(model.estimators_[0]) else 0.5
        place = positive_place(graph, graph.emit(relax.op.subtract(scores[0], graph.const(limit, WIDE))))
        return Classes(place, two_columns(graph, _chance(graph, model.estimators_[0], x)) if likely else None)
    place = graph.emit(relax.op.argmax(graph.emit(relax.op.concat(scores, 1)), 1))
    if not likely:
        return Classes(place, None)
    chances = [_chance(graph, part, x) for part in model.estimators_]
    return Classes(place, normalised(graph, graph.emit(relax.op.concat(chances, 1))))


def _score(graph: Graph, part: Any, x: Any) -> Any:
    return decide(graph, part, x) if decides(part) else _chance(graph, part, x)


def _chance(graph: Graph, part: Any, x: Any) -> Any:
    return graph.columns(graph.cast(_convert(graph, part, x).probability, WIDE), 1, 2)


def rest_problems(model: Any) -> list[str]:
    """Several labels a row, and estimators inside that say neither probabilities nor decision values."""
    found = ["several labels a row"] if model.multilabel_ else []
    lacking = {
        type(part).__name__
        for part in model.estimators_
        if not (hasattr(part, "predict_proba") or decides(part))
    }
    return found + [f"the decision values of {name}" for name in sorted(lacking)]


def _mean(graph: Graph, values: list[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        total = graph.emit(relax.op.add(total, value))
    return graph.emit(relax.op.divide(total, graph.const(float(len(values)), WIDE)))


def _convert(graph: Graph, model: Any, x: Any) -> Any:
    from neo_magics.compiler.frontends.estimators.registry import convert

    return convert(graph, model, x)


_HOLDERS = ("RANSACRegressor", "TransformedTargetRegressor")
CONVERTERS: dict[str, Any] = {
    **dict.fromkeys(_HOLDERS, inner),
    "MultiOutputRegressor": regress_outputs,
    "MultiOutputClassifier": classify_outputs,
    "BaggingRegressor": bag_mean,
    "BaggingClassifier": bag_classes,
    "StackingClassifier": stack,
    "StackingRegressor": stack,
    "AdaBoostClassifier": boost_by_votes,
    "AdaBoostRegressor": weighted_median,
    "OneVsRestClassifier": one_against_rest,
}
PARTS: dict[str, Any] = {
    **dict.fromkeys(_HOLDERS, inner_parts),
    **dict.fromkeys(
        (
            "MultiOutputRegressor",
            "MultiOutputClassifier",
            "BaggingRegressor",
            "BaggingClassifier",
            "AdaBoostClassifier",
            "AdaBoostRegressor",
            "OneVsRestClassifier",
        ),
        numbered_parts,
    ),
    **dict.fromkeys(("StackingClassifier", "StackingRegressor"), stack_parts),
}
PROBLEMS: dict[str, Any] = {
    "MultiOutputClassifier": probability_problems,
    "BaggingClassifier": probability_problems,
    "OneVsRestClassifier": rest_problems,
    **dict.fromkeys(("StackingClassifier", "StackingRegressor"), stack_problems),
}
