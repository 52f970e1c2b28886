"""Estimators made of estimators: pipelines, columns, votes and calibration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import (
    WIDE,
    Classes,
    most_probable,
    two_columns,
)
from neo_magics.compiler.frontends.estimators.decisions import decide, decides
from neo_magics.compiler.frontends.estimators.preprocessing import select
from neo_magics.compiler.frontends.tabular import Graph

Parts = Iterator[tuple[str, Any]]


def run_pipeline(graph: Graph, model: Any, x: Any) -> Any:
    """Pipeline: every step but the last one transforms."""
    *first, (_name, last) = pipeline_parts(model)
    for _step, part in first:
        x = _transform(graph, part, x)
    return _convert(graph, last, x)


def transform_in_turn(graph: Graph, model: Any, x: Any) -> Any:
    """Pipeline of transformers within another estimator."""
    for _name, part in pipeline_parts(model):
        x = _transform(graph, part, x)
    return x


def pipeline_parts(model: Any) -> Parts:
    """The steps that do something."""
    return ((name, step) for name, step in model.steps if not (step is None or isinstance(step, str)))


def transform_columns(graph: Graph, model: Any, x: Any) -> Any:
    """ColumnTransformer; columns by name are those that the table had when it was fitted."""
    found = []
    for name, transformer, _columns in model.transformers_:
        places = np.asarray(model._transformer_to_input_indices[name], np.int64)
        if not len(places) or (isinstance(transformer, str) and transformer == "drop"):
            continue
        part = select(graph, places, x)
        found.append(
            graph.cast(part if isinstance(transformer, str) else _transform(graph, transformer, part), WIDE)
        )
    return graph.emit(relax.op.concat(found, 1))


def columns_parts(model: Any) -> Parts:
    """The fitted transformers."""
    return ((name, part) for name, part, _columns in model.transformers_ if not isinstance(part, str))


def unite(graph: Graph, model: Any, x: Any) -> Any:
    """FeatureUnion."""
    weights = model.transformer_weights or {}
    found = []
    for name, part in union_parts(model):
        value = graph.cast(_transform(graph, part, x), WIDE)
        if name in weights:
            value = graph.emit(relax.op.multiply(value, graph.const(weights[name], WIDE)))
        found.append(value)
    return graph.emit(relax.op.concat(found, 1))


def union_parts(model: Any) -> Parts:
    """The transformers."""
    return ((name, part) for name, part in model.transformer_list if not isinstance(part, str))


def vote(graph: Graph, model: Any, x: Any) -> Classes:
    """VotingClassifier: the mean of the probabilities, or the most frequent class."""
    weights = model._weights_not_none
    parts = [_convert(graph, part, x) for part in model.estimators_]
    if model.voting == "soft":
        return most_probable(graph, _average(graph, [part.probability for part in parts], weights))
    classes = graph.const(np.arange(len(model.classes_))[None], "int64")
    votes = []
    for part in parts:
        place = graph.emit(relax.op.expand_dims(graph.cast(part.place, "int64"), 1))
        votes.append(graph.cast(graph.emit(relax.op.equal(place, classes)), WIDE))
    return Classes(graph.emit(relax.op.argmax(_average(graph, votes, weights), 1)), None)


def vote_mean(graph: Graph, model: Any, x: Any) -> Any:
    """VotingRegressor."""
    parts = [graph.cast(_convert(graph, part, x), WIDE) for part in model.estimators_]
    return _average(graph, parts, model._weights_not_none)


def vote_parts(model: Any) -> Parts:
    """The fitted estimators."""
    names = [name for name, part in model.estimators if part not in ("drop", None)]
    return zip(names, model.estimators_, strict=True)


def vote_problems(model: Any) -> list[str]:
    """Soft votes need probabilities."""
    lacking = getattr(model, "voting", "") == "soft" and not all(
        hasattr(part, "predict_proba") for part in model.estimators_
    )
    return ["an estimator without probabilities"] if lacking else []


def calibrate(graph: Graph, model: Any, x: Any) -> Classes:
    """CalibratedClassifierCV by sigmoid or isotonic regression, over probabilities or decision values."""
    found = [_calibrated(graph, part, x) for part in model.calibrated_classifiers_]
    return most_probable(graph, _average(graph, found, None))


def calibrate_parts(model: Any) -> Parts:
    """The estimators inside."""
    return ((f"fold{n}", part.estimator) for n, part in enumerate(model.calibrated_classifiers_))


def calibrate_problems(model: Any) -> list[str]:
    """Temperatures are not supported; nor are decision values without a converter."""
    found = [f"method={model.method!r}"] if model.method not in ("sigmoid", "isotonic") else []
    inner = {
        type(part.estimator).__name__
        for part in model.calibrated_classifiers_
        if not _has_scores(part.estimator)
    }
    return found + [f"the decision values of {name}" for name in sorted(inner)]


def _has_scores(model: Any) -> bool:
    return decides(model) or not hasattr(model, "decision_function")


def _calibrated(graph: Graph, part: Any, x: Any) -> Any:
    model = part.estimator
    if hasattr(model, "decision_function"):
        scores = decide(graph, model, x)
    else:
        scores = graph.cast(_convert(graph, model, x).probability, WIDE)
        scores = graph.columns(scores, 1, 2) if len(part.classes) == 2 else scores
    if part.method == "isotonic":
        chance = _isotonic(graph, part.calibrators, scores)
    else:
        slope = np.array([-each.a_ for each in part.calibrators])
        shift = np.array([-each.b_ for each in part.calibrators])
        scaled = graph.emit(relax.op.multiply(scores, graph.const(slope[None], WIDE)))
        shifted = graph.emit(relax.op.add(scaled, graph.const(shift[None], WIDE)))
        chance = graph.emit(relax.op.sigmoid(shifted))
    return two_columns(graph, chance) if len(part.classes) == 2 else _shares(graph, chance)


def _isotonic(graph: Graph, calibrators: Any, scores: Any) -> Any:
    """Each column between the thresholds of its IsotonicRegression, beyond them as at the last ones."""
    found = [
        graph.interpolate(graph.columns(scores, k, k + 1), each.X_thresholds_, each.y_thresholds_)
        for k, each in enumerate(calibrators)
    ]
    return graph.emit(relax.op.concat(found, 1)) if len(found) > 1 else found[0]


def _shares(graph: Graph, chance: Any) -> Any:
    """Rows divided by their sums; all classes alike where that is zero."""
    total = graph.emit(relax.op.sum(chance, 1, keepdims=True))
    none = graph.emit(relax.op.equal(total, graph.const(0.0, WIDE)))
    safe = graph.emit(relax.op.where(none, graph.const(1.0, WIDE), total))
    share = graph.const(1.0 / graph.width(chance), WIDE)
    return graph.emit(relax.op.where(none, share, graph.emit(relax.op.divide(chance, safe))))


def _average(graph: Graph, values: list[Any], weights: Any) -> Any:
    shares = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    total = None
    for value, share in zip(values, shares, strict=True):
        part = value if share == 1 else graph.emit(relax.op.multiply(value, graph.const(share, WIDE)))
        total = part if total is None else graph.emit(relax.op.add(total, part))
    return graph.emit(relax.op.divide(total, graph.const(float(shares.sum()), WIDE)))


def _convert(graph: Graph, model: Any, x: Any) -> Any:
    from neo_magics.compiler.frontends.estimators.registry import convert

    return convert(graph, model, x)


def _transform(graph: Graph, model: Any, x: Any) -> Any:
    from neo_magics.compiler.frontends.estimators.registry import transform

    return transform(graph, model, x)


TRANSFORMERS: dict[str, Any] = {"Pipeline": transform_in_turn}
CONVERTERS: dict[str, Any] = {
    "Pipeline": run_pipeline,
    "ColumnTransformer": transform_columns,
    "FeatureUnion": unite,
    "VotingClassifier": vote,
    "VotingRegressor": vote_mean,
    "CalibratedClassifierCV": calibrate,
}
PARTS: dict[str, Any] = {
    "Pipeline": pipeline_parts,
    "ColumnTransformer": columns_parts,
    "FeatureUnion": union_parts,
    "VotingClassifier": vote_parts,
    "VotingRegressor": vote_parts,
    "CalibratedClassifierCV": calibrate_parts,
}
PROBLEMS: dict[str, Any] = {
    "VotingClassifier": vote_problems,
    "CalibratedClassifierCV": calibrate_problems,
}
