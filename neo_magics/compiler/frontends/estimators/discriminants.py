"""Discriminants, clusters by their centres, projections onto targets, and the selection before a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import WIDE, affine
from neo_magics.compiler.frontends.estimators.linear import classify_logistic
from neo_magics.compiler.frontends.estimators.preprocessing import select_supported
from neo_magics.compiler.frontends.tabular import Graph


def nearest_centre(graph: Graph, model: Any, x: Any) -> Any:
    """KMeans, MiniBatchKMeans: the number of the nearest centre."""
    centres = np.asarray(model.cluster_centers_, np.float64)
    distance = affine(graph, x, -2.0 * centres.T, (centres * centres).sum(1))
    place = graph.emit(relax.op.argmin(distance, 1))
    return graph.emit(relax.op.expand_dims(graph.cast(place, WIDE), 1))


def distances(graph: Graph, model: Any, x: Any) -> Any:
    """The transform of KMeans: how far each centre is."""
    rows = graph.emit(relax.op.expand_dims(graph.cast(x, WIDE), 1))
    centres = np.asarray(model.cluster_centers_, np.float64)[None]
    apart = graph.emit(relax.op.subtract(rows, graph.const(centres)))
    squared = graph.emit(relax.op.sum(graph.emit(relax.op.multiply(apart, apart)), 2))
    return graph.emit(relax.op.sqrt(squared))


def regress_projected(graph: Graph, model: Any, x: Any) -> Any:
    """PLSRegression, PLSCanonical, CCA: linear in the centred features."""
    weight = np.asarray(model.coef_, np.float64).T
    return affine(graph, x, weight, model.intercept_ - model._x_mean @ weight)


def predict_selected(graph: Graph, model: Any, x: Any) -> Any:
    """RFE, RFECV: the estimator on the selected features."""
    from neo_magics.compiler.frontends.estimators.registry import convert

    return convert(graph, model.estimator_, select_supported(graph, model, x))


def selected_parts(model: Any) -> Iterator[tuple[str, Any]]:
    """That estimator."""
    yield "estimator", model.estimator_


_SELECTING = ("RFE", "RFECV")
_CLUSTERS = ("KMeans", "MiniBatchKMeans")
CONVERTERS: dict[str, Any] = {
    "LinearDiscriminantAnalysis": classify_logistic,
    **dict.fromkeys(_CLUSTERS, nearest_centre),
    **dict.fromkeys(("PLSRegression", "PLSCanonical", "CCA"), regress_projected),
    **dict.fromkeys(_SELECTING, predict_selected),
}
TRANSFORMERS: dict[str, Any] = dict.fromkeys(_CLUSTERS, distances)
PARTS: dict[str, Any] = dict.fromkeys(_SELECTING, selected_parts)
