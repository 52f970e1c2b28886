"""XGBoost on scikit-learn's own data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.zoo.entry import Entry, Given

_NEEDS = ("xgboost", "sklearn")
_DATA = "trained on a data set of scikit-learn"
_COMMON = {"n_estimators": 50, "max_depth": 5, "n_jobs": 2}


def _table(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return x.astype(np.float32), y


def _fitted(kind: str, data: str, **options: Any) -> Any:
    def make(_folder: Path) -> Given:
        import xgboost

        x, y = _table(data)
        model = getattr(xgboost, kind)(**{**_COMMON, **options}).fit(x, y)
        return Given(model, {"inputs": x})

    return make


def _holes(_folder: Path) -> Given:
    import xgboost

    x, y = _table("breast_cancer")
    x = np.where(np.random.default_rng(0).random(x.shape) < 0.2, np.nan, x).astype(np.float32)
    return Given(xgboost.XGBClassifier(**_COMMON).fit(x, y), {"inputs": x})


def _several(_folder: Path) -> Given:
    import xgboost

    x, y = _table("diabetes")
    both = np.stack([y, -y], 1)
    model = xgboost.XGBRegressor(**_COMMON, multi_strategy="multi_output_tree").fit(x, both)
    return Given(model, {"inputs": x})


def _categories(_folder: Path) -> Given:
    import xgboost

    rng = np.random.default_rng(0)
    kind = rng.integers(0, 9, 600)
    x = np.column_stack([kind, rng.random(600)]).astype(np.float32)
    data = xgboost.DMatrix(x, (kind % 3) * x[:, 1], feature_types=["c", "float"], enable_categorical=True)
    model = xgboost.train({"max_depth": 4, "nthread": 2, "max_cat_to_onehot": 1}, data, 10)
    return Given(model, {"inputs": x})


def _file(folder: Path) -> Given:
    import xgboost

    x, y = _table("wine")
    xgboost.XGBClassifier(**_COMMON).fit(x, y).save_model(folder / "wine.ubj")
    return Given(folder / "wine.ubj", {"inputs": x})


def _entry(name: str, make: Any, **more: Any) -> Entry:
    return Entry("XGBOOST", name, make, _NEEDS, **{"data": _DATA, **more})


ENTRIES = [
    _entry("regression", _fitted("XGBRegressor", "diabetes"), quick=True),
    _entry("binary", _fitted("XGBClassifier", "breast_cancer")),
    _entry("digits", _fitted("XGBClassifier", "digits")),
    _entry("dart", _fitted("XGBRegressor", "diabetes", booster="dart", rate_drop=0.2)),
    _entry("linear", _fitted("XGBRegressor", "diabetes", booster="gblinear")),
    _entry("forest", _fitted("XGBRFClassifier", "iris")),
    _entry("ranking", _fitted("XGBRegressor", "diabetes", objective="count:poisson")),
    _entry("missing_values", _holes),
    _entry("several_outputs", _several),
    _entry("categories", _categories, data="trained on made-up categories"),
    _entry("file", _file),
]
