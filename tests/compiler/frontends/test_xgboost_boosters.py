"""XGBoost's other boosters and what cuts a model short, each held against the library's own `predict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from neo_magics.capture import capture
from neo_magics.capture.source import open_source
from neo_magics.errors import CaptureError, InputError
from tests.compiler.frontends.oracle import imported, run
from tests.compiler.frontends.test_xgboost import holes, trained

xgboost = pytest.importorskip("xgboost")

X, Y = load_diabetes(return_X_y=True)
CLOSE = 1e-6


def predicts(model: Any, expected: Any, x: Any, folder: Path) -> None:
    """Compiled, `model` gives `expected` for `x`, which the caller asked XGBoost for; so does its source."""
    archive = capture(model, inputs=x)
    archive.unpack_into(folder)
    for got in (
        run(imported(folder, "XGBOOST"), archive.inputs)["prediction"],
        open_source(folder, "XGBOOST").run(archive.inputs)["prediction"],
    ):
        assert got.shape == np.shape(expected)
        np.testing.assert_allclose(got, expected, rtol=CLOSE, atol=CLOSE * np.abs(expected).max())


def linear(x: Any, y: Any, **parameters: Any) -> Any:
    return xgboost.train({"booster": "gblinear", "nthread": 1, **parameters}, xgboost.DMatrix(x, y), 7)


@pytest.mark.parametrize(
    ("objective", "more"),
    [("reg:squarederror", {}), ("count:poisson", {}), ("multi:softprob", {"num_class": 3})],
)
def test_a_linear_booster(objective: str, more: dict[str, Any], tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    model = linear(x, y, objective=objective, **more)
    with_holes = holes(x).astype("float32")
    predicts(model, model.predict(xgboost.DMatrix(with_holes)), with_holes, tmp_path)


def test_linear_classifiers_give_labels_and_probabilities(tmp_path: Path) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    model = xgboost.XGBClassifier(booster="gblinear", n_estimators=5, n_jobs=1).fit(x, y)
    archive = capture(model, inputs=x)
    archive.unpack_into(tmp_path)
    got = run(imported(tmp_path, "XGBOOST"), archive.inputs)
    np.testing.assert_array_equal(got["label"], model.predict(x))
    np.testing.assert_allclose(got["probability"], model.predict_proba(x), atol=CLOSE)


def test_linear_weights_that_are_not_finite(tmp_path: Path) -> None:
    model = linear(X, Y)
    content = json.loads(model.save_raw("json"))
    content["learner"]["gradient_booster"]["model"]["weights"][0] = float("nan")
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="Weights of the linear booster are not finite"):
        imported(tmp_path, "XGBOOST")


def test_dart_with_several_trees_a_round(tmp_path: Path) -> None:
    dart = {"booster": "dart", "rate_drop": 0.5, "skip_drop": 0.2, "one_drop": 1, "normalize_type": "forest"}
    model = trained(rounds=12, num_parallel_tree=2, seed=3, **dart)
    predicts(model, model.predict(xgboost.DMatrix(X)), X, tmp_path)


def test_dart_of_several_classes(tmp_path: Path) -> None:
    x, y = load_iris(return_X_y=True)
    model = trained(x, y, rounds=9, booster="dart", rate_drop=0.4, objective="multi:softprob", num_class=3)
    predicts(model, model.predict(xgboost.DMatrix(x)), x, tmp_path)


def test_a_forest_that_is_boosted_stops_at_its_best_round(tmp_path: Path) -> None:
    model = xgboost.XGBRegressor(
        n_estimators=30,
        num_parallel_tree=3,
        subsample=0.6,
        early_stopping_rounds=2,
        learning_rate=1.0,
        n_jobs=1,
    )
    model.fit(X[:200], Y[:200], eval_set=[(X[200:], Y[200:])], verbose=False)
    assert model.best_iteration + 1 < model.get_booster().num_boosted_rounds()
    predicts(model, model.predict(X), X, tmp_path)


def test_a_booster_of_the_first_rounds(tmp_path: Path) -> None:
    model = trained(rounds=9)
    expected = model.predict(xgboost.DMatrix(X), iteration_range=(0, 4))
    predicts(model[:4], expected, X, tmp_path)


def test_a_booster_that_stopped_early_uses_all_rounds_as_its_predict_does(tmp_path: Path) -> None:
    table = xgboost.DMatrix(X[200:], Y[200:])
    model = xgboost.train(
        {"nthread": 1, "eta": 1.0},
        xgboost.DMatrix(X[:200], Y[:200]),
        30,
        evals=[(table, "test")],
        early_stopping_rounds=3,
        verbose_eval=False,
    )
    assert model.best_iteration + 1 < model.num_boosted_rounds()
    predicts(model, model.predict(xgboost.DMatrix(X)), X, tmp_path)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_targets_that_stop_early(strategy: str, tmp_path: Path) -> None:
    both = np.stack([Y, np.roll(Y, 1), Y**0.5], 1)
    model = xgboost.XGBRegressor(
        n_estimators=25, multi_strategy=strategy, early_stopping_rounds=2, learning_rate=0.9, n_jobs=1
    )
    model.fit(X[:200], both[:200], eval_set=[(X[200:], both[200:])], verbose=False)
    predicts(model, model.predict(X), X, tmp_path)


def test_several_quantiles(tmp_path: Path) -> None:
    model = trained(objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9])
    predicts(model, model.predict(xgboost.DMatrix(X)), X, tmp_path)


@pytest.mark.parametrize("objective", ["rank:ndcg", "rank:map", "rank:pairwise"])
def test_ranking(objective: str, tmp_path: Path) -> None:
    groups = np.repeat(np.arange(34), 13)
    model = xgboost.XGBRanker(objective=objective, n_estimators=6, max_depth=4, n_jobs=1)
    model.fit(X, (Y > 140).astype(int), qid=groups)
    predicts(model, model.predict(X), X, tmp_path)


@pytest.mark.parametrize("objective", ["survival:cox", "survival:aft"])
def test_survival(objective: str, tmp_path: Path) -> None:
    censored = np.random.default_rng(0).random(len(Y)) < 0.3
    table, more = xgboost.DMatrix(X), {}
    if objective == "survival:cox":
        table.set_label(np.where(censored, -Y, Y))
    else:
        table.set_float_info("label_lower_bound", Y)
        table.set_float_info("label_upper_bound", np.where(censored, np.inf, Y))
        more = {"aft_loss_distribution": "extreme", "aft_loss_distribution_scale": 0.8}
    model = xgboost.train({"objective": objective, "nthread": 1, "max_depth": 3, **more}, table, 6)
    predicts(model, model.predict(xgboost.DMatrix(X)), X, tmp_path)


def test_infinities_are_numbers_and_only_nan_is_missing(tmp_path: Path) -> None:
    model = trained(holes(X))
    rows = np.random.default_rng(1).choice([np.nan, -np.inf, np.inf, 0.0, -0.0, 1e30, 0.05], X.shape)
    # A DMatrix refuses infinities; in place they are numbers like others.
    predicts(model, model.inplace_predict(rows.astype("float32")), rows.astype("float32"), tmp_path)


def test_another_number_as_the_missing_one_is_refused_also_for_classifiers() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    for missing in (0, -999.0):
        model = xgboost.XGBClassifier(n_estimators=2, max_depth=2, missing=missing, n_jobs=1).fit(x, y)
        with pytest.raises(CaptureError, match="as a missing value") as caught:
            capture(model)
        assert "numpy.nan" in caught.value.hint
