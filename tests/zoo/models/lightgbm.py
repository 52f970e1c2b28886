"""LightGBM on scikit-learn's own data sets; its models travel as SKLEARN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.zoo.entry import Entry, Given

_NEEDS = ("lightgbm", "sklearn")
_FOREST = {"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1}
_DATA = "trained on a data set of scikit-learn"


def _fitted(kind: str, data: str, **options: Any) -> Any:
    def make(_folder: Path) -> Given:
        import lightgbm
        from sklearn import datasets

        x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
        model = getattr(lightgbm, kind)(n_estimators=50, n_jobs=2, verbose=-1, **options).fit(x, y)
        return Given(model, {"inputs": x})

    return make


def _categories(_folder: Path) -> Given:
    import lightgbm

    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 40, 900), rng.random(900)])
    y = (x[:, 0] % 3) * x[:, 1]
    options = {"verbose": -1, "num_threads": 2, "min_data_per_group": 5, "cat_smooth": 1}
    model = lightgbm.train(options, lightgbm.Dataset(x, y, categorical_feature=[0]), 10)
    return Given(model, {"inputs": x})


def _entry(name: str, make: Any, **more: Any) -> Entry:
    return Entry("LIGHTGBM", name, make, _NEEDS, **{"data": _DATA, **more})


ENTRIES = [
    _entry("regression", _fitted("LGBMRegressor", "diabetes")),
    _entry("binary", _fitted("LGBMClassifier", "breast_cancer"), quick=True),
    _entry("digits", _fitted("LGBMClassifier", "digits")),
    _entry("dart", _fitted("LGBMRegressor", "diabetes", boosting_type="dart")),
    _entry("forest", _fitted("LGBMRegressor", "diabetes", **_FOREST)),
    _entry("linear_trees", _fitted("LGBMRegressor", "diabetes", linear_tree=True), refused="linear trees"),
    _entry("categories", _categories, data="trained on made-up categories"),
]
