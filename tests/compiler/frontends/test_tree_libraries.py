"""LightGBM's models and scikit-learn's trees: labels exactly, numbers to 1e-12."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble, tree
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris

from neo_magics.capture import capture
from neo_magics.errors import InputError, UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees, imported, run, slow

lightgbm = pytest.importorskip("lightgbm")

X, Y = load_diabetes(return_X_y=True)
TIGHT = 1e-12
NAMES = np.array(["setosa", "versicolor", "virginica"])


def holes(x: np.ndarray, share: float = 0.3) -> np.ndarray:
    return np.where(np.random.default_rng(0).random(x.shape) < share, np.nan, x)


def boosted(x: Any = X, y: Any = Y, rounds: int = 5, **parameters: Any) -> Any:
    options = {"verbose": -1, "num_threads": 1, "num_leaves": 9, **parameters}
    return lightgbm.train(options, lightgbm.Dataset(x, y), rounds)


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "regression"},
        slow({"objective": "regression", "reg_sqrt": True}),
        slow({"objective": "poisson"}),
        slow({"objective": "quantile", "alpha": 0.3}),
        {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
        {"objective": "regression", "boosting": "dart"},
    ],
    ids=str,
)
def test_lightgbm(parameters: dict[str, Any]) -> None:
    result = agrees(boosted(**parameters), X, tolerance=TIGHT)
    assert str(result.outputs[0]) == "prediction: float64[n]"


@pytest.mark.slow
def test_lightgbm_with_missing_values() -> None:
    agrees(boosted(holes(X)), holes(X, 0.5), tolerance=TIGHT)
    agrees(boosted(X), holes(X, 0.5), tolerance=TIGHT)  # then a missing value counts as zero


@pytest.mark.parametrize("load", [load_breast_cancer, slow(load_iris)])
@pytest.mark.parametrize("objective", [None, "multiclassova"])
def test_lightgbm_classifiers(load: Any, objective: str | None) -> None:
    x, y = load(return_X_y=True)
    if objective and len(set(y)) < 3:
        pytest.skip("one against all needs three classes")
    model = lightgbm.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1, objective=objective).fit(x, y)
    agrees(model, x, tolerance=TIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("keep", [False, True], ids=["trimmed", "kept"])
def test_lightgbm_that_stopped_early_stops_there(keep: bool, tmp_path: Path) -> None:
    model = lightgbm.train(
        {"verbose": -1, "num_threads": 1, "learning_rate": 0.9},
        lightgbm.Dataset(X[:200], Y[:200]),
        40,
        valid_sets=[lightgbm.Dataset(X[200:], Y[200:])],
        callbacks=[lightgbm.early_stopping(2, verbose=False)],
        keep_training_booster=keep,
    )
    assert model.best_iteration < (model.current_iteration() if keep else 40)
    capture(model, inputs=X).unpack_into(tmp_path)
    got = run(imported(tmp_path, "SKLEARN"), {"input": X})["prediction"]
    np.testing.assert_allclose(got, model.predict(X), rtol=TIGHT)


def test_lightgbm_s_own_file_is_a_model_too(tmp_path: Path) -> None:
    path = tmp_path / "model.txt"
    model = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, Y), 5)
    model.save_model(path)
    agrees(path, X, tolerance=TIGHT)
    path.write_bytes(b"tree\n\xff")
    with pytest.raises(InputError, match="is not a model of LightGBM that can be read"):
        capture(path, inputs=X)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_lightgbm_s_ranking(objective: str, tmp_path: Path) -> None:
    model = lightgbm.LGBMRanker(objective=objective, n_estimators=6, n_jobs=1, verbose=-1)
    model.fit(X, (Y > 140).astype(int) + (Y > 220), group=[13] * 34)
    capture(model, inputs=X).unpack_into(tmp_path)
    got = run(imported(tmp_path, "SKLEARN"), {"input": X})["prediction"]
    np.testing.assert_allclose(got, model.predict(X), rtol=TIGHT, atol=TIGHT)


@pytest.mark.slow
def test_lightgbm_with_splits_by_category() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 70, 900), rng.random(900), rng.integers(0, 5, 900)])
    data = lightgbm.Dataset(x, x[:, 0] % 7 * x[:, 1] + x[:, 2] % 2, categorical_feature=[0, 2])
    options = {"verbose": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 1, "num_leaves": 40}
    model = lightgbm.train(options, data, 8)
    assert "num_cat=0" not in model.model_to_string().partition("Tree=1")[0]
    odd = rng.choice([np.nan, -1, 0.5, 69.9, 70, 1000, 2**24, 3], x.shape)
    for rows in (x, np.where(rng.random(x.shape) < 0.5, odd, x)):
        agrees(model, rows, tolerance=TIGHT)


@pytest.mark.parametrize(
    ("parameters", "missing"),
    [
        ({"objective": "regression"}, 0.4),
        pytest.param({"objective": "regression"}, 0.0, marks=pytest.mark.slow),
        pytest.param({"objective": "multiclass", "num_class": 3}, 0.3, marks=pytest.mark.slow),
        pytest.param({"num_leaves": 70, "min_data_in_leaf": 2}, 0.2, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_lightgbm_with_linear_trees(parameters: dict[str, Any], missing: float) -> None:
    y = Y // 120 if "num_class" in parameters else Y
    x = holes(X, missing)
    model = boosted(x, y, 9, linear_tree=True, **parameters)
    assert "leaf_coeff= " not in model.model_to_string().partition("Tree=5")[2][:900]
    agrees(model, np.vstack([x, holes(X, 0.1), X * 40]), tolerance=TIGHT)


@pytest.mark.slow
def test_lightgbm_with_linear_trees_and_infinity(tmp_path: Path) -> None:
    """Trees that disagree on an infinite feature's sign: LightGBM gives NaN, we the sign of their sum."""
    model = boosted(linear_tree=True)
    odd = np.random.default_rng(0).choice([np.inf, -np.inf, np.nan, 0.0], X.shape)
    rows = np.where(np.random.default_rng(1).random(X.shape) < 0.1, odd, X)
    capture(model, inputs=rows).unpack_into(tmp_path)
    got, expected = run(imported(tmp_path, "SKLEARN"), {"input": rows})["prediction"], model.predict(rows)
    known = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(got), known)
    np.testing.assert_allclose(got[known], expected[known], rtol=TIGHT)


def test_lightgbm_with_zeros_for_missing() -> None:
    rng = np.random.default_rng(0)
    table = np.column_stack([np.round(X * 20), rng.integers(0, 9, len(X))])
    data = lightgbm.Dataset(table, Y + 30 * (table[:, -1] % 3), categorical_feature=[10])
    options = {"verbose": -1, "num_threads": 1, "zero_as_missing": True, "min_data_per_group": 1}
    model = lightgbm.train(options, data, 8)
    odd = rng.choice([np.nan, 0.0, -0.0, 1e-36, -1e-36, 1.5e-35, 1e-34, np.inf], table.shape)
    agrees(model, np.where(rng.random(table.shape) < 0.4, odd, table), tolerance=TIGHT)


@pytest.mark.slow
def test_lightgbm_s_cross_entropy_of_rates() -> None:
    agrees(boosted(X, Y / Y.max(), objective="cross_entropy_lambda"), X, tolerance=TIGHT)


def test_lightgbm_is_refused_by_name_where_it_cannot_be_compiled(tmp_path: Path) -> None:
    wide = np.random.default_rng(0).random((60, 600))
    model = boosted(wide, wide[:, 0] + wide[:, 1], 2, linear_tree=True, min_data_in_leaf=3)
    capture(model).unpack_into(tmp_path)
    with pytest.raises(
        UnsupportedOperatorsError, match="linear trees of 600 features and 1 classes"
    ) as caught:
        imported(tmp_path, "SKLEARN")
    assert caught.value.hint == "At most 512 weights fit: use fewer features."


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_lightgbm_s_text_cut_short(tmp_path: Path, share: float) -> None:
    text = boosted().model_to_string()
    (tmp_path / "lightgbm.txt").write_text(text[: int(share * text.index("end of trees"))])
    with pytest.raises(InputError, match=r"lightgbm\.txt is cut short"):
        imported(tmp_path, "SKLEARN")


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = tree.DecisionTreeRegressor(max_depth=3).fit(X, Y)
    model.tree_.value[-1] = np.nan
    capture(model).unpack_into(tmp_path)
    with pytest.raises(InputError, match=r"not finite in 1 of 1 trees \(tree 0\)"):
        imported(tmp_path, "SKLEARN")


REGRESSORS = [
    tree.DecisionTreeRegressor(max_depth=5),
    slow(tree.DecisionTreeRegressor(max_depth=1)),
    slow(tree.ExtraTreeRegressor(random_state=0)),
    ensemble.RandomForestRegressor(5, random_state=0),
    ensemble.ExtraTreesRegressor(5, random_state=0),
    ensemble.GradientBoostingRegressor(n_estimators=6),
    slow(ensemble.GradientBoostingRegressor(n_estimators=6, init="zero", loss="huber")),
    ensemble.HistGradientBoostingRegressor(max_iter=6),
    slow(ensemble.HistGradientBoostingRegressor(max_iter=6, loss="poisson")),
]
CLASSIFIERS = [
    tree.DecisionTreeClassifier(max_depth=5, random_state=0),
    tree.ExtraTreeClassifier(random_state=0),
    ensemble.RandomForestClassifier(7, random_state=0),
    ensemble.ExtraTreesClassifier(5, random_state=0),
    ensemble.GradientBoostingClassifier(n_estimators=3),
    ensemble.HistGradientBoostingClassifier(max_iter=3),
]


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_regressors(model: Any) -> None:
    agrees(model.fit(X, Y), X, tolerance=TIGHT)


@pytest.mark.parametrize("load", [slow(load_breast_cancer), load_iris, slow(load_digits)])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_classifiers(model: Any, load: Any) -> None:
    x, y = load(return_X_y=True)
    agrees(model.fit(x[:300], y[:300]), x, tolerance=TIGHT)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_on_a_threshold(dtype: str) -> None:
    model = ensemble.RandomForestRegressor(5, random_state=0).fit(X.astype("float32"), Y)
    cuts = np.unique(np.concatenate([part.tree_.threshold for part in model.estimators_]))
    near = np.concatenate([cuts, np.nextafter(cuts, -9), np.nextafter(cuts, 9), np.float32(cuts)])
    agrees(model, np.random.default_rng(0).choice(near, (300, 10)).astype(dtype), tolerance=TIGHT)


@pytest.mark.parametrize(
    "model",
    [
        ensemble.HistGradientBoostingRegressor(max_iter=4),
        ensemble.RandomForestRegressor(4, random_state=0),
        tree.DecisionTreeRegressor(max_depth=6),
    ],
    ids=str,
)
def test_missing_values(model: Any) -> None:
    agrees(model.fit(holes(X), Y), holes(X, 0.5), tolerance=TIGHT)


def test_missing_values_alone_on_one_side_of_a_split() -> None:
    x = np.array([[np.nan]] * 30 + [[1.0]] * 30)
    model = ensemble.HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=5).fit(
        x, np.arange(60.0) // 30
    )
    agrees(model, np.array([[np.nan], [1.0], [1e300], [-1e300], [np.inf], [-np.inf]]), tolerance=TIGHT)


@pytest.mark.slow
def test_several_outputs() -> None:
    forest = ensemble.RandomForestRegressor(4, random_state=0).fit(X, np.stack([Y, -Y], 1))
    result = agrees(forest, X, tolerance=TIGHT)
    assert str(result.outputs[0]) == "prediction: float64[n, 2]"
    x, y = load_iris(return_X_y=True)
    both = ensemble.RandomForestClassifier(4, random_state=0).fit(x, np.stack([y, y % 2], 1))
    result = agrees(both, x, tolerance=TIGHT)
    assert [spec.name for spec in result.outputs] == ["label0", "probability0", "label1", "probability1"]


def test_texts_as_labels_become_places_with_names() -> None:
    x, y = load_iris(return_X_y=True)
    result = agrees(tree.DecisionTreeClassifier().fit(x, NAMES[y]), x, tolerance=TIGHT)
    assert result.classes == {"label": ("setosa", "versicolor", "virginica")}


def test_whole_numbers_as_labels_stay() -> None:
    x, y = load_iris(return_X_y=True)
    result = agrees(ensemble.RandomForestClassifier(3, random_state=0).fit(x, y * 10 - 5), x, tolerance=TIGHT)
    assert result.classes == {}


def test_refusals_name_everything_at_once(tmp_path: Path) -> None:
    first = tree.DecisionTreeRegressor()
    model = ensemble.GradientBoostingRegressor(n_estimators=2, init=first).fit(X, Y)
    capture(model).unpack_into(tmp_path)
    with pytest.raises(UnsupportedOperatorsError, match="init=DecisionTreeRegressor"):
        imported(tmp_path, "SKLEARN")
