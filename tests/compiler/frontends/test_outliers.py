"""Detectors of outliers: labels exactly, scores to 1e-12."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from neo_magics.errors import UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees, run

X = load_breast_cancer(return_X_y=True)[0]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"contamination": 0.1, "max_features": 0.5, "max_samples": 50},
    ],
)
def test_isolation_forests(options: dict[str, Any]) -> None:
    """With a contamination the cut lies between rows that it was fitted to."""
    model = IsolationForest(n_estimators=8, random_state=0, **options).fit(X)
    result = agrees(model, X, tolerance=1e-12)
    assert [str(spec) for spec in result.outputs] == ["label: int64[n]", "score: float64[n]"]
    np.testing.assert_array_equal(run(result, {"input": X})["label"], model.predict(X))


def test_a_row_at_the_cut_is_inside() -> None:
    x = load_iris(return_X_y=True)[0]
    model = IsolationForest(n_estimators=5, random_state=0).fit(x)
    model.offset_ = np.sort(model.score_samples(x))[20]
    assert (model.decision_function(x) == 0).any()
    agrees(model, x, tolerance=1e-12)


def test_support_vectors_of_one_class_behind_a_scaler() -> None:
    model = make_pipeline(StandardScaler(), OneClassSVM(nu=0.2)).fit(X)
    agrees(model, X, tolerance=1e-9)


def test_trees_of_one_row_are_refused() -> None:
    model = IsolationForest(n_estimators=2, max_samples=1).fit(X)
    with pytest.raises(UnsupportedOperatorsError, match="one row for each tree"):
        agrees(model, X)
