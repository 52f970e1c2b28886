"""Histogram-based boosting with splits by category, and the encoder that it holds: as scikit-learn's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import preprocessing
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from neo_magics.capture import capture
from neo_magics.errors import UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees, imported

TIGHT = 1e-12
RNG = np.random.default_rng(0)
# A number between two categories in the middle, so that the encoder has to move both to the front.
X = np.column_stack([RNG.integers(0, 40, 600), RNG.random(600), RNG.integers(0, 3, 600) * 10 - 5])
Y = X[:, 0] % 7 * X[:, 1] + (X[:, 2] > 0)
ODD = RNG.choice([np.nan, -1, 0.5, 39.5, 40, 255, 256, 1e9, -5, 15], X.shape)
MIXED = np.where(RNG.random(X.shape) < 0.5, ODD, X)


def fitted(kind: Any, x: Any = X, y: Any = Y, columns: Any = (0, 2)) -> Any:
    return kind(max_iter=5, categorical_features=list(columns), min_samples_leaf=5).fit(x, y)


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "float64"])
def test_categories_that_were_not_seen_are_missing(dtype: str) -> None:
    model = fitted(HistGradientBoostingRegressor)
    assert any(tree.nodes["is_categorical"].any() for (tree,) in model._predictors)
    agrees(model, np.concatenate([X, MIXED]).astype(dtype), tolerance=TIGHT)


@pytest.mark.slow
def test_missing_values_in_training_are_a_category_of_their_own() -> None:
    x = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
    agrees(fitted(HistGradientBoostingRegressor, x), MIXED, tolerance=TIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers(classes: int) -> None:
    model = fitted(HistGradientBoostingClassifier, y=(Y * classes / 8).astype(int).clip(max=classes - 1))
    agrees(model, MIXED, tolerance=TIGHT)


def test_classes_that_are_equally_probable() -> None:
    """The first is scikit-learn's answer; it was the second."""
    x = np.zeros((40, 2))
    agrees(HistGradientBoostingClassifier().fit(x, np.arange(40) % 2 == 0), x[:3])


@pytest.mark.slow
def test_nothing_but_categories() -> None:
    agrees(
        fitted(HistGradientBoostingRegressor, X[:, [0, 2]], columns=(0, 1)), MIXED[:, [0, 2]], tolerance=TIGHT
    )


@pytest.mark.parametrize("unknown", [np.nan, -1])
def test_an_encoder_with_a_value_for_what_it_does_not_know(unknown: float) -> None:
    x = np.where(RNG.random(X.shape) < 0.2, np.nan, X)[:, [0, 2]]
    encoder = preprocessing.OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=unknown, encoded_missing_value=-2
    )
    agrees(encoder.fit(x if np.isnan(unknown) else X[:, [0, 2]]), MIXED[:, [0, 2]], tolerance=TIGHT)


def test_rare_categories_are_refused(tmp_path: Path) -> None:
    encoder = preprocessing.OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=20
    )
    capture(encoder.fit(X[:, [0, 2]])).unpack_into(tmp_path)
    with pytest.raises(UnsupportedOperatorsError, match="infrequent categories"):
        imported(tmp_path, "SKLEARN")
