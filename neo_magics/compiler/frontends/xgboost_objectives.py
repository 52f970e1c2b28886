"""What XGBoost's objectives make of a model's sums."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.capture.tabular import LABEL, PREDICTION, PROBABILITY
from neo_magics.compiler.frontends.tabular import Graph

KEY = "float32"  # XGBoost stores and compares float32, whatever it is given
_MULTI = ("multi:softprob", "multi:softmax")
_LOGISTIC = ("binary:logistic", "reg:logistic")
_EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_IDENTITY = (
    "reg:squarederror",
    "reg:squaredlogerror",
    "reg:pseudohubererror",
    "reg:absoluteerror",
    "reg:quantileerror",
    "binary:logitraw",
    "rank:pairwise",
    "rank:ndcg",
    "rank:map",
)
OBJECTIVES = (*_MULTI, *_LOGISTIC, *_EXPONENTIAL, *_IDENTITY, "binary:hinge")


def base_margins(text: str, objective: str, columns: int) -> np.ndarray[Any, Any]:
    """The sums before any tree: the base score, mapped back through the objective's transformation."""
    listed = json.loads(text) if text.startswith("[") else [float(text)]
    score = np.broadcast_to(np.array(listed, np.float32), (columns,))
    if objective in _LOGISTIC:
        return np.asarray(-np.log(np.float32(1) / score - np.float32(1)))
    return np.asarray(np.log(score)) if objective in _EXPONENTIAL else score


def predicted(graph: Graph, sums: Any, objective: str) -> dict[str, Any]:
    """What `Booster.predict` returns: [rows], or [rows, columns] where there are several."""
    if objective == "multi:softmax":
        return {PREDICTION: graph.cast(graph.emit(relax.op.argmax(sums, 1)), "float32")}
    value = _transformed(graph, sums, objective)
    return {PREDICTION: value if graph.width(value) > 1 else graph.flat(value)}


def classified(graph: Graph, sums: Any, objective: str) -> dict[str, Any]:
    """What XGBClassifier's predict and predict_proba return; each of several labels has a probability."""
    if objective in _MULTI:
        label = graph.emit(relax.op.argmax(sums, 1))
        return {LABEL: label, PROBABILITY: graph.emit(relax.op.nn.softmax(sums, 1))}
    second = _transformed(graph, sums, objective)
    cut = 0.5 if objective not in _LOGISTIC else 0.0
    above = graph.emit(relax.op.greater(second if cut else sums, graph.const(cut, KEY)))
    if graph.width(sums) > 1:
        return {LABEL: graph.cast(above, "int64"), PROBABILITY: second}
    first = graph.emit(relax.op.subtract(graph.const(1.0, KEY), second))
    return {
        LABEL: graph.flat(graph.cast(above, "int64")),
        PROBABILITY: graph.emit(relax.op.concat([first, second], 1)),
    }


def _transformed(graph: Graph, sums: Any, objective: str) -> Any:
    change: Callable[[Any], Any] | None = None
    if objective in _LOGISTIC:
        change = relax.op.sigmoid
    elif objective in _EXPONENTIAL:
        change = relax.op.exp
    elif objective in _MULTI:
        return graph.emit(relax.op.nn.softmax(sums, 1))
    elif objective == "binary:hinge":
        return graph.cast(graph.emit(relax.op.greater(sums, graph.const(0.0, KEY))), KEY)
    return graph.emit(change(sums)) if change else sums
