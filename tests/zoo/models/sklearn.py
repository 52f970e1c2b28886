"""scikit-learn on its own data sets: each family once, and pipelines of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.zoo.entry import Entry, Given

_DATA = "trained on a data set of scikit-learn"


def _fitted(data: str, model: Callable[[], Any], names: tuple[str, ...] = ()) -> Any:
    def make(_folder: Path) -> Given:
        from sklearn import datasets

        x, y = getattr(datasets, f"load_{data}")(return_X_y=True)
        return Given(model().fit(x, np.array(names)[y] if names else y), {"inputs": x})

    return make


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(50, n_jobs=2, random_state=0)


def _boosting() -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(random_state=0)


def _histogram() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=30, random_state=0)


def _scaled(name: str) -> Callable[[], Any]:
    def make() -> Any:
        from sklearn import linear_model, neighbors, neural_network, pipeline, preprocessing, svm

        models = {
            "logistic": linear_model.LogisticRegression(),
            "svc": svm.SVC(),
            "neighbours": neighbors.KNeighborsClassifier(),
            "mlp": neural_network.MLPClassifier((30,), max_iter=200, random_state=0),
        }
        return pipeline.make_pipeline(preprocessing.StandardScaler(), models[name])

    return make


def _bayes() -> Any:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB()


def _stacked() -> Any:
    from sklearn import ensemble, linear_model, naive_bayes, tree

    first = tree.DecisionTreeClassifier(max_depth=4, random_state=0)
    parts = [("tree", first), ("bayes", naive_bayes.GaussianNB())]
    return ensemble.StackingClassifier(parts, linear_model.LogisticRegression(max_iter=500))


def _columns() -> Any:
    from sklearn import compose, decomposition, impute, linear_model, pipeline, preprocessing

    filled = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    columns = compose.ColumnTransformer(
        [
            ("filled", filled, [0, 2, 3]),
            ("kind", preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False), [1]),
        ],
        remainder="passthrough",
    )
    return pipeline.make_pipeline(
        columns, decomposition.PCA(5), preprocessing.PolynomialFeatures(2), linear_model.Ridge()
    )


def _file(folder: Path) -> Given:
    import skops.io

    given = _fitted("breast_cancer", _forest)(folder)
    skops.io.dump(given.model, folder / "model.skops")
    return Given(folder / "model.skops", given.options)


def _categories(_folder: Path) -> Given:
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(0)
    x = np.column_stack([rng.random(900), rng.integers(0, 40, 900)])
    model = HistGradientBoostingRegressor(max_iter=20, categorical_features=[1])
    return Given(model.fit(x, x[:, 1] % 3 * x[:, 0]), {"inputs": x})


def _entry(name: str, make: Any, **more: Any) -> Entry:
    return Entry("SKLEARN", name, make, ("sklearn", "skops"), **{"data": _DATA, **more})


ENTRIES = [
    _entry("forest", _fitted("digits", _forest)),
    _entry("forest_of_texts", _fitted("iris", _forest, ("setosa", "versicolor", "virginica")), quick=True),
    _entry("boosting", _fitted("diabetes", _boosting)),
    _entry("histogram", _fitted("breast_cancer", _histogram)),
    *(_entry(name, _fitted("digits", _scaled(name))) for name in ("logistic", "svc", "neighbours", "mlp")),
    _entry("bayes", _fitted("wine", _bayes)),
    _entry("stacked", _fitted("wine", _stacked)),
    _entry("file", _file),
    _entry("categories", _categories, data="trained on made-up categories"),
    _entry("columns", _fitted("diabetes", _columns), quick=True),
]
