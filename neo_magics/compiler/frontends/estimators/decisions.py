"""Decision values, which wrappers of classifiers read: of linear models and of support vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import WIDE, affine
from neo_magics.compiler.frontends.estimators.linear import regress_linear, svm_pairs, svm_problems
from neo_magics.compiler.frontends.tabular import Graph


def decides(model: Any) -> bool:
    """Whether `decide` has a converter for the decision values of `model`."""
    if type(model).__name__ == "Pipeline":
        return decides(model.steps[-1][1])
    if type(model).__name__ in ("SVC", "NuSVC"):
        several = model.decision_function_shape == "ovr" or len(model.classes_) == 2
        return several and not svm_problems(model)
    return hasattr(model, "coef_") and hasattr(model, "decision_function")


def decide(graph: Graph, model: Any, x: Any) -> Any:
    """`decision_function` of `model`: [rows, classes], or [rows, 1] of two classes."""
    if type(model).__name__ == "Pipeline":
        from neo_magics.compiler.frontends.estimators.registry import transform

        for _name, step in model.steps[:-1]:
            x = x if isinstance(step, str) or step is None else transform(graph, step, x)
        return decide(graph, model.steps[-1][1], x)
    if type(model).__name__ in ("SVC", "NuSVC"):
        return _of_pairs(graph, model, x)
    return regress_linear(graph, model, x)


def _of_pairs(graph: Graph, model: Any, x: Any) -> Any:
    """Votes of the pairs of classes, and a third of their confidence, as scikit-learn's
    `_ovr_decision_function` adds them."""
    scores, pairs = svm_pairs(graph, model, x)
    if len(model.classes_) == 2:
        return graph.emit(relax.op.negative(scores))
    count = len(model.classes_)
    won, lost = np.zeros((len(pairs), count)), np.zeros((len(pairs), count))
    for row, (first, second) in enumerate(pairs):
        won[row, first], lost[row, second] = 1.0, 1.0
    above = graph.cast(graph.emit(relax.op.greater(scores, graph.const(0.0, WIDE))), WIDE)
    votes = affine(graph, above, won - lost, lost.sum(0))
    confidence = affine(graph, scores, won - lost, np.zeros(count))
    size = graph.emit(relax.op.add(graph.emit(relax.op.abs(confidence)), graph.const(1.0, WIDE)))
    third = graph.emit(relax.op.multiply(size, graph.const(3.0, WIDE)))
    return graph.emit(relax.op.add(votes, graph.emit(relax.op.divide(confidence, third))))
