"""XGBoost through capture and import: margins to the last bit, labels exactly, probabilities to 1e-6."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris

from neo_magics.capture import capture
from neo_magics.errors import CaptureError, InputError, UntrustedPickleError
from tests.compiler.frontends.oracle import agrees, run, slow

xgboost = pytest.importorskip("xgboost")

X, Y = load_diabetes(return_X_y=True)
EXACT, CLOSE = 0.0, 1e-6


def holes(x: np.ndarray, share: float = 0.2) -> np.ndarray:
    """`x` with a share of its values missing."""
    return np.where(np.random.default_rng(0).random(x.shape) < share, np.nan, x)


def trained(x: Any = X, y: Any = Y, rounds: int = 7, **parameters: Any) -> Any:
    return xgboost.train({"nthread": 1, "max_depth": 4, **parameters}, xgboost.DMatrix(x, y), rounds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [slow(1), slow(31), slow(32), 33, slow(442)])
def test_sums_are_equal_to_the_last_bit_at_any_number_of_rows(rows: int, dtype: str) -> None:
    result = agrees(trained(), X[:rows].astype(dtype), tolerance=EXACT)
    assert str(result.inputs[0]) == f"input: {dtype}[n, 10]"
    assert str(result.outputs[0]) == "prediction: float32[n]"
    assert result.derived_input_config == '{"input":[null,10]}'


def test_a_fixed_number_of_rows() -> None:
    result = agrees(trained(), X[:5], input_shape='{"input": [5, 10]}', tolerance=EXACT)
    assert result.inputs[0].shape == (5, 10)


def test_missing_values_take_each_node_s_default_direction() -> None:
    agrees(trained(holes(X)), holes(X, 0.5), tolerance=EXACT)
    agrees(trained(X), holes(X, 0.5), tolerance=EXACT)


def test_values_on_a_threshold_go_where_xgboost_sends_them() -> None:
    model = trained()
    trees = json.loads(model.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    cuts = np.unique(np.concatenate([np.float32(tree["split_conditions"]) for tree in trees]))
    near = np.concatenate([cuts, np.nextafter(cuts, np.float32(-9)), np.nextafter(cuts, np.float32(9))])
    table = np.random.default_rng(0).choice(near, (300, 10)).astype(np.float32)
    agrees(model, table, tolerance=EXACT)
    agrees(model, table.astype(np.float64) * (1 + 1e-9), tolerance=EXACT)


@pytest.mark.parametrize(
    ("objective", "more"),
    [
        slow("reg:squarederror", {"num_parallel_tree": 3}),
        ("reg:squarederror", {"booster": "dart", "rate_drop": 0.5}),
        slow("reg:gamma", {}),
        slow("reg:tweedie", {}),
        slow("count:poisson", {}),
        slow("reg:absoluteerror", {}),
        slow("reg:pseudohubererror", {}),
        ("rank:pairwise", {}),
    ],
)
def test_objectives(objective: str, more: dict[str, Any]) -> None:
    agrees(trained(objective=objective, **more), X, tolerance=CLOSE)


@pytest.mark.parametrize(
    "objective", ["binary:logistic", slow("binary:logitraw"), slow("reg:logistic"), "binary:hinge"]
)
def test_two_classes(objective: str) -> None:
    x, y = load_breast_cancer(return_X_y=True)
    agrees(trained(x, y, objective=objective), x, tolerance=CLOSE)


@pytest.mark.parametrize("objective", ["multi:softprob", "multi:softmax"])
def test_several_classes(objective: str) -> None:
    x, y = load_iris(return_X_y=True)
    agrees(trained(x, y, objective=objective, num_class=3), x, tolerance=CLOSE)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_several_outputs(strategy: str) -> None:
    model = trained(y=np.stack([Y, -2 * Y], 1), multi_strategy=strategy, tree_method="hist")
    agrees(model, X, tolerance=EXACT)


@pytest.mark.parametrize("load", [slow(load_breast_cancer), load_iris])
def test_a_classifier_gives_labels_and_probabilities_as_its_methods_do(load: Any) -> None:
    x, y = load(return_X_y=True)
    model = xgboost.XGBClassifier(n_estimators=6, max_depth=3, n_jobs=1).fit(x, y)
    result = agrees(model, x, tolerance=CLOSE)
    assert [str(spec) for spec in result.outputs] == [
        "label: int64[n]",
        f"probability: float32[n, {len(set(y))}]",
    ]


def test_what_the_source_gives_is_what_predict_and_predict_proba_give(tmp_path: Path) -> None:
    from neo_magics.capture.source import open_source

    x, y = load_breast_cancer(return_X_y=True)
    model = xgboost.XGBClassifier(n_estimators=6, max_depth=3, n_jobs=1).fit(x, y)
    capture(model).unpack_into(tmp_path)
    got = open_source(tmp_path, "XGBOOST").run({"input": x})
    np.testing.assert_array_equal(got["label"], model.predict(x))
    np.testing.assert_array_equal(got["probability"], model.predict_proba(x))


def test_an_estimator_that_stopped_early_stops_there() -> None:
    model = xgboost.XGBRegressor(n_estimators=40, early_stopping_rounds=2, learning_rate=1.0, n_jobs=1)
    model.fit(X[:200], Y[:200], eval_set=[(X[200:], Y[200:])], verbose=False)
    assert model.best_iteration < 39
    agrees(model, X, tolerance=EXACT)


@pytest.mark.slow
def test_files_in_all_of_xgboost_s_formats(tmp_path: Path) -> None:
    model = trained()
    for name in ("m.json", "m.ubj"):
        model.save_model(tmp_path / name)
        agrees(tmp_path / name, X, tolerance=EXACT)
    (tmp_path / "m.model").write_bytes(model.save_raw("ubj"))
    agrees(tmp_path / "m.model", X, tolerance=EXACT)


def test_the_same_model_gives_the_same_archive(tmp_path: Path) -> None:
    model = trained()
    assert capture(model, inputs=X).write(tmp_path / "a") == capture(model, inputs=X).write(tmp_path / "b")
    assert list(capture(model, portable=True).files) == ["model.model"]


def test_a_pickle_is_refused_unless_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "m.model"
    path.write_bytes(pickle.dumps(trained()))
    with pytest.raises(UntrustedPickleError, match="is a pickle") as caught:
        capture(path)
    assert "--trust-pickle" in caught.value.hint
    assert list(capture(path, trust_pickle=True).files) == ["model.ubj"]


@pytest.mark.slow
@pytest.mark.parametrize("one_hot", [1, 100], ids=["partition", "one_hot"])
def test_splits_by_category(one_hot: int) -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 70, 900), rng.random(900), rng.integers(0, 5, 900)])
    table = xgboost.DMatrix(
        x, x[:, 0] % 7 * x[:, 1] + x[:, 2] % 2, feature_types=["c", "q", "c"], enable_categorical=True
    )
    model = xgboost.train({"nthread": 1, "max_cat_to_onehot": one_hot}, table, 8)
    odd = rng.choice([np.nan, -1, 0.5, 69.9, 70, 1000, 2**24, np.inf, -np.inf, 3], x.shape)
    for rows in (x, np.where(rng.random(x.shape) < 0.5, odd, x)):
        agrees(model, rows.astype("float32"), tolerance=EXACT)
        agrees(model, rows, tolerance=EXACT)


def test_wrong_widths_and_broken_files_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"rows of 10 features; the example has shape \[442, 3\]"):
        capture(trained(), inputs=X[:, :3])
    with pytest.raises(CaptureError, match=r"takes -1\.0 as a missing value"):
        capture(xgboost.XGBRegressor(n_estimators=2, missing=-1.0).fit(X, Y))
    path = tmp_path / "m.json"
    path.write_bytes(trained().save_raw("json")[:500])
    with pytest.raises(InputError, match=r"XGBoost cannot read m\.json"):
        capture(path)


@pytest.mark.slow
def test_several_labels_at_once() -> None:
    """Each has a probability of its own; none is a class of the others."""
    x, y = load_iris(return_X_y=True)
    labels = np.stack([y == 0, y >= 1, y == 2], 1).astype(int)
    model = xgboost.XGBClassifier(n_estimators=4, max_depth=2, n_jobs=1).fit(x, labels)
    result = agrees(model, x.astype("float32"), tolerance=CLOSE)
    assert [str(spec) for spec in result.outputs] == ["label: int64[n, 3]", "probability: float32[n, 3]"]
    got = run(result, {"input": x.astype("float32")})
    np.testing.assert_array_equal(got["label"], model.predict(x))
    np.testing.assert_allclose(got["probability"], model.predict_proba(x), atol=CLOSE)
