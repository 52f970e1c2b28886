"""scikit-learn's functions, searches, columns by name, and wrappers that read decision values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import (
    calibration,
    compose,
    ensemble,
    isotonic,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    pipeline,
    preprocessing,
    svm,
)
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.feature_extraction.text import TfidfVectorizer

from neo_magics.capture import capture
from neo_magics.errors import CaptureError, UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees, imported

CLOSE = 1e-9
X, Y = load_diabetes(return_X_y=True)
FLOWERS, KINDS = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[KINDS]


def test_columns_by_the_names_of_a_table() -> None:
    """They were refused, though a table of numbers has them in the order in which it was fitted."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(FLOWERS, columns=list("abcd"))
    table["e"] = np.arange(150) % 4
    columns = compose.ColumnTransformer(
        [
            ("scaled", preprocessing.StandardScaler(), ["d", "a"]),
            ("hot", preprocessing.OneHotEncoder(), compose.make_column_selector(pattern="e")),
            ("alone", preprocessing.MinMaxScaler(), slice("b", "b")),
        ],
        remainder="passthrough",
    )
    model = pipeline.make_pipeline(columns, linear_model.LogisticRegression(max_iter=500))
    agrees(model.fit(table, NAMES), table, tolerance=CLOSE)


def test_a_search_is_its_best_estimator() -> None:
    search = model_selection.GridSearchCV(svm.SVC(), {"C": [0.1, 1.0]}).fit(FLOWERS, NAMES)
    agrees(search, FLOWERS, tolerance=CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["log1p", "expm1", "log", "exp", "sqrt", "square", "abs", "log2", "log10"])
def test_a_function_of_numpy(name: str, dtype: str) -> None:
    edges = [[0.0, 1e-300, 1e-20], [1e-9, 1e-5, 0.3], [0.5, 1.0, 5.0], [50.0, 1000.0, np.inf]]
    x = np.array(edges, dtype)
    with np.errstate(all="ignore"):
        model = preprocessing.FunctionTransformer(getattr(np, name)).fit(x)
        agrees(model, x, tolerance=1e-15 if dtype == "float64" else 1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["log1p", "expm1", "reciprocal", "tanh", "negative"])
def test_a_function_of_negative_numbers(name: str) -> None:
    x = -np.array([[1e-300, 1e-17, 1e-8], [0.1, 0.7, 0.999999], [1.0, 30.0, np.inf]])
    with np.errstate(all="ignore"):
        agrees(preprocessing.FunctionTransformer(getattr(np, name)).fit(x), x, tolerance=1e-15)


@pytest.mark.parametrize(
    "options",
    [
        {"func": np.log1p, "inverse_func": np.expm1},
        {"transformer": preprocessing.StandardScaler()},
        {"transformer": preprocessing.MinMaxScaler()},
        {"transformer": preprocessing.RobustScaler()},
    ],
    ids=["log", "standard", "minmax", "robust"],
)
def test_a_target_that_was_transformed(options: dict[str, Any]) -> None:
    model = compose.TransformedTargetRegressor(linear_model.Ridge(), **options)
    agrees(model.fit(X, Y), X, tolerance=CLOSE)
    agrees(model.fit(X, np.stack([Y, 2 * Y + 1], 1)), X, tolerance=CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
@pytest.mark.parametrize("method", ["auto", "predict"])
def test_a_stack_of_decision_values_and_classes(load: Any, method: str) -> None:
    x, y = load(return_X_y=True)
    scaled = pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC())
    parts = [("vectors", scaled), ("line", svm.LinearSVC()), ("bayes", naive_bayes.GaussianNB())]
    final = linear_model.LogisticRegression(max_iter=500)
    model = ensemble.StackingClassifier(parts, final, stack_method=method, cv=2)
    agrees(model.fit(x, np.where(y, "yes", "no") if y.max() == 1 else y), x, tolerance=CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
@pytest.mark.parametrize("inner", [svm.LinearSVC(), svm.SVC(), linear_model.LogisticRegression()], ids=str)
def test_one_against_the_rest_by_decision_values(load: Any, inner: Any) -> None:
    x, y = load(return_X_y=True)
    x = preprocessing.scale(x)
    agrees(multiclass.OneVsRestClassifier(inner).fit(x, y), x, tolerance=CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "inner", "method"),
    [
        (load_iris, naive_bayes.GaussianNB(), "isotonic"),
        (load_iris, svm.SVC(), "isotonic"),
        (load_breast_cancer, svm.SVC(), "isotonic"),
        (load_breast_cancer, svm.SVC(), "sigmoid"),
        (load_iris, svm.SVC(), "sigmoid"),
    ],
)
def test_calibration_over_decision_values_and_by_steps(load: Any, inner: Any, method: str) -> None:
    x, y = load(return_X_y=True)
    x = preprocessing.scale(x)
    model = calibration.CalibratedClassifierCV(inner, method=method, cv=2)
    agrees(model.fit(x, y), x, tolerance=CLOSE)
    agrees(model, 30 * x, tolerance=CLOSE)


def test_steps_that_pass_on_say_how_many_columns_come() -> None:
    agrees(pipeline.Pipeline([("none", "passthrough"), ("line", linear_model.Ridge())]).fit(X, Y), X)


class TestRefused:
    @pytest.mark.parametrize(
        ("model", "why"),
        [
            (preprocessing.FunctionTransformer(np.cbrt), r"a function of your own \(cbrt\)"),
            (
                compose.TransformedTargetRegressor(
                    transformer=preprocessing.QuantileTransformer(n_quantiles=9)
                ),
                "a target transformed by QuantileTransformer",
            ),
        ],
        ids=["function", "target"],
    )
    def test_functions(self, tmp_path: Any, model: Any, why: str) -> None:
        capture(model.fit(X, Y)).unpack_into(tmp_path)
        with pytest.raises(UnsupportedOperatorsError, match=why):
            imported(tmp_path, "SKLEARN")

    def test_a_fitted_model_without_a_table_is_not_called_unfitted(self) -> None:
        texts = pipeline.make_pipeline(TfidfVectorizer(), linear_model.Ridge()).fit(["a bc", "de fg"], [0, 1])
        for model in (isotonic.IsotonicRegression().fit(X[:, 0], Y), texts):
            with pytest.raises(CaptureError, match="does not say how many columns it takes"):
                capture(model)
        with pytest.raises(CaptureError, match="not fitted"):
            capture(pipeline.make_pipeline("passthrough", linear_model.Ridge()))
