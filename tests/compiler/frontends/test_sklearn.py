"""scikit-learn's estimators and pipelines on the data sets that it ships: labels exactly, numbers closely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn import (
    calibration,
    cluster,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    impute,
    linear_model,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
)
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from neo_magics.capture import capture
from neo_magics.errors import CaptureError, InputError, UnsupportedOperatorsError, UntrustedPickleError
from tests.compiler.frontends.oracle import agrees, imported

CLOSE = 1e-9
X, Y = load_diabetes(return_X_y=True)


def scaled(model: Any) -> Any:
    return pipeline.make_pipeline(preprocessing.StandardScaler(), model)


REGRESSORS = [
    linear_model.LinearRegression(),
    linear_model.ElasticNet(alpha=0.1),
    linear_model.PoissonRegressor(),
    svm.SVR(),
    svm.SVR(kernel="poly", degree=2),
    neighbors.KNeighborsRegressor(),
    neighbors.KNeighborsRegressor(weights="distance", metric="manhattan"),
    neural_network.MLPRegressor(hidden_layer_sizes=(5,), max_iter=30, random_state=0),
    ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", ensemble.RandomForestRegressor(3))]),
    scaled(ensemble.HistGradientBoostingRegressor(max_iter=3)),
]
CLASSIFIERS = [
    linear_model.LogisticRegression(max_iter=50),
    linear_model.SGDClassifier(loss="log_loss", random_state=0),
    linear_model.RidgeClassifier(),
    svm.SVC(),
    svm.SVC(kernel="linear"),
    svm.LinearSVC(),
    neighbors.KNeighborsClassifier(),
    neighbors.KNeighborsClassifier(weights="distance"),
    naive_bayes.GaussianNB(),
    naive_bayes.BernoulliNB(),
    neural_network.MLPClassifier((6, 5), max_iter=30, random_state=0),
    neural_network.MLPClassifier((6,), activation="tanh", max_iter=30, random_state=0),
    calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2),
    pytest.param(
        calibration.CalibratedClassifierCV(ensemble.RandomForestClassifier(3, random_state=0), cv=2),
        marks=pytest.mark.slow,
    ),
    ensemble.VotingClassifier(
        [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())], weights=[1, 2]
    ),
    ensemble.VotingClassifier(
        [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())], voting="soft"
    ),
]
TRANSFORMERS = [
    preprocessing.StandardScaler(),
    preprocessing.RobustScaler(),
    preprocessing.MinMaxScaler((-1, 2), clip=True),
    preprocessing.MaxAbsScaler(),
    preprocessing.Normalizer(),
    preprocessing.Normalizer("l1"),
    preprocessing.Binarizer(threshold=1.0),
    preprocessing.PolynomialFeatures(2),
    decomposition.PCA(3),
    decomposition.PCA(2, whiten=True),
    decomposition.TruncatedSVD(2, random_state=0),
    feature_selection.SelectKBest(k=2),
    preprocessing.PowerTransformer(),
    preprocessing.KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", REGRESSORS, ids=lambda model: str(model)[:50])
def test_regressors(model: Any) -> None:
    agrees(model.fit(X, Y), X, tolerance=CLOSE)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda model: str(model)[:60])
def test_classifiers(model: Any, load: Any) -> None:
    x, y = load(return_X_y=True)
    # scikit-learn's own distances are less exact than ours where it multiplies matrices to get them.
    tolerance = 1e-6 if isinstance(model, neighbors.KNeighborsClassifier) else CLOSE
    agrees(scaled(model).fit(x, y), x, tolerance=tolerance)


@pytest.mark.parametrize("model", TRANSFORMERS, ids=str)
def test_transformers(model: Any) -> None:
    x, y = load_iris(return_X_y=True)
    result = agrees(model.fit(x, y), x, tolerance=CLOSE)
    assert [spec.name for spec in result.outputs] == ["transformed"]


def test_wrappers_of_other_estimators() -> None:
    x, y = load_wine(return_X_y=True)
    bayes, line = naive_bayes.GaussianNB(), linear_model.LogisticRegression(max_iter=500)
    first = [("bayes", bayes), ("bag", ensemble.BaggingClassifier(bayes, 2, max_features=5, random_state=0))]
    agrees(scaled(ensemble.StackingClassifier(first, line, passthrough=True)).fit(x, y), x, tolerance=CLOSE)
    agrees(multiclass.OneVsRestClassifier(scaled(line)).fit(x, y), x, tolerance=CLOSE)
    both = multioutput.MultiOutputClassifier(bayes).fit(x, np.stack([y, y % 2], 1))
    agrees(both, x, tolerance=CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_votes_that_were_boosted(load: Any) -> None:
    x, y = load(return_X_y=True)
    agrees(ensemble.AdaBoostClassifier(n_estimators=4, random_state=0).fit(x, y), x, tolerance=CLOSE)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(ensemble.AdaBoostRegressor(n_estimators=7, random_state=0), marks=pytest.mark.slow),
        pytest.param(
            ensemble.AdaBoostRegressor(
                linear_model.Ridge(), n_estimators=4, loss="exponential", random_state=0
            ),
            marks=pytest.mark.slow,
        ),
        ensemble.AdaBoostRegressor(n_estimators=1),
    ],
    ids=["trees", "lines", "one"],
)
def test_a_median_of_weighted_predictions(model: Any) -> None:
    agrees(model.fit(X, Y), X, tolerance=CLOSE)


def test_what_predicts_at_the_end_transforms_before_it(tmp_path: Path) -> None:
    lines = linear_model.Ridge()
    for part in (cluster.KMeans(3, random_state=0), feature_selection.RFE(lines, n_features_to_select=4)):
        agrees(part.fit(X, Y), X, tolerance=1e-7)
        agrees(pipeline.make_pipeline(part, lines).fit(X, Y), X, tolerance=1e-7)
    parts = discriminant_analysis.LinearDiscriminantAnalysis(), naive_bayes.GaussianNB()
    capture(pipeline.make_pipeline(*parts).fit(*load_wine(return_X_y=True))).unpack_into(tmp_path)
    with pytest.raises(UnsupportedOperatorsError, match="transform of LinearDiscriminantAnalysis"):
        imported(tmp_path, "SKLEARN")


@pytest.mark.parametrize("model", [naive_bayes.MultinomialNB(), naive_bayes.ComplementNB()], ids=str)
def test_counts(model: Any) -> None:
    x, y = load_wine(return_X_y=True)
    agrees(model.fit(x, y), x, tolerance=CLOSE)


@pytest.mark.parametrize("add_indicator", [False, True])
def test_missing_values_are_imputed(add_indicator: bool) -> None:
    """The indicator has a column for each that had missing values when it was fitted."""
    x = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    whole = x.copy()
    whole[:, :3] = X[:, :3]
    imputer = impute.SimpleImputer(strategy="median", add_indicator=add_indicator)
    model = pipeline.make_pipeline(imputer, linear_model.Ridge()).fit(whole, Y)
    agrees(model, x, tolerance=CLOSE)


def test_columns_with_encoders_of_numbers() -> None:
    x = np.column_stack([np.arange(120) % 4, np.arange(120) % 3 * 10.0, np.linspace(-1, 1, 120)])
    columns = compose.ColumnTransformer(
        [
            ("hot", preprocessing.OneHotEncoder(handle_unknown="ignore"), [0]),
            ("place", preprocessing.OrdinalEncoder(), [1]),
        ],
        remainder="passthrough",
        sparse_threshold=0,
    )
    union = pipeline.make_union(preprocessing.MinMaxScaler(), decomposition.PCA(2))
    model = pipeline.make_pipeline(columns, union, linear_model.LinearRegression()).fit(x, x[:, 0] * x[:, 2])
    agrees(model, x, tolerance=CLOSE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tree_behind_a_scaler_sees_the_same_bits(dtype: str) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    x = x.astype(dtype)
    agrees(scaled(ensemble.RandomForestClassifier(5, random_state=0)).fit(x, y), x, tolerance=CLOSE)


def test_texts_as_labels() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["a", "b", "c"])
    result = agrees(scaled(svm.SVC()).fit(x, names[y]), x, tolerance=CLOSE)
    assert result.classes == {"label": ("a", "b", "c")}


def test_the_same_model_gives_the_same_archive(tmp_path: Path) -> None:
    model = scaled(linear_model.Ridge()).fit(X, Y)
    assert capture(model).write(tmp_path / "a") == capture(model).write(tmp_path / "b")
    assert list(capture(model).files) == ["model.skops"]


def test_a_pickle_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "m.joblib"
    joblib.dump(linear_model.Ridge().fit(X, Y), path)
    with pytest.raises(UntrustedPickleError, match="running a pickle") as caught:
        capture(path)
    assert "skops" in caught.value.hint
    assert list(capture(path, trust_pickle=True).files) == ["model.skops"]


def test_all_that_is_not_supported_is_named_at_once_with_its_place(tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    model = pipeline.Pipeline(
        [
            ("first", preprocessing.PowerTransformer(method="box-cox")),
            ("second", preprocessing.QuantileTransformer(n_quantiles=10)),
            ("last", neighbors.KNeighborsClassifier(metric="chebyshev")),
        ]
    ).fit(x, y)
    capture(model).unpack_into(tmp_path)
    with pytest.raises(UnsupportedOperatorsError) as caught:
        imported(tmp_path, "SKLEARN")
    for words in (
        "PowerTransformer with method='box-cox' in first",
        "QuantileTransformer in second",
        "metric='chebyshev' in last",
    ):
        assert words in caught.value.message


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = linear_model.Ridge().fit(X, Y)
    model.coef_[3] = np.nan
    capture(model).unpack_into(tmp_path)
    with pytest.raises(InputError, match="Weights of the estimator are not finite"):
        imported(tmp_path, "SKLEARN")


def test_an_estimator_that_is_not_fitted_says_so() -> None:
    with pytest.raises(CaptureError, match="not fitted"):
        capture(linear_model.Ridge())
