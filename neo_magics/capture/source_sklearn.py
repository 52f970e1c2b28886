"""A scikit-learn model in scikit-learn: predict and predict_proba, or transform."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.classes import as_numbers, class_numbers
from neo_magics.capture.estimator_file import features, read_estimator
from neo_magics.capture.files import model_file
from neo_magics.capture.lightgbm import FILE
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.source_lightgbm import LightgbmSource
from neo_magics.capture.tabular import INPUT, LABEL, PREDICTION, PROBABILITY, SCORE

Array = np.ndarray[Any, Any]
TRANSFORMED = "transformed"
# predict of these is the most probable class: one call computes both, as a user would.
_MOST_PROBABLE = ("DecisionTree", "ExtraTree", "RandomForest", "HistGradientBoosting", "MLP")


class SklearnSource:
    """Floating-point results are float64, whatever scikit-learn computed in."""

    def __init__(self, model: Any, threads: int | None) -> None:
        import sklearn

        self._model = model
        self._columns = list(model.feature_names_in_) if _needs_names(model) else None
        if threads and "n_jobs" in model.get_params(deep=False) and model.n_jobs not in (None, 1):
            model.set_params(n_jobs=threads)
        self.input_specs = (TensorInfo(INPUT, ("n", features(model)), "float64"),)
        self.versions = {"scikit-learn": str(sklearn.__version__)}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs as a compiled model names and shapes them."""
        x = self._table(inputs[INPUT])
        if not hasattr(self._model, "predict"):
            return {TRANSFORMED: _plain(self._model.transform(x))}
        if _detects_outliers(self._model):
            label = self._model.predict(x).astype(np.int64)
            return {LABEL: label, SCORE: _plain(self._model.decision_function(x))}
        if not hasattr(self._model, "classes_"):
            return {PREDICTION: _plain(self._model.predict(x))}
        if isinstance(self._model.classes_, list):
            return self._several(x)
        return self._one(x, np.asarray(self._model.classes_))

    def _table(self, x: Array) -> Any:
        if self._columns is None:
            return x
        pandas = import_module("pandas")

        return pandas.DataFrame(x, columns=self._columns)

    def _one(self, x: Any, classes: Array) -> dict[str, Array]:
        if not hasattr(self._model, "predict_proba"):
            return {LABEL: as_numbers(self._model.predict(x), classes)}
        probability = _plain(self._model.predict_proba(x))
        if type(self._model).__name__.startswith(_MOST_PROBABLE):
            label = class_numbers(classes)[np.argmax(probability, axis=1)]
        else:
            label = as_numbers(self._model.predict(x), classes)
        return {LABEL: label, PROBABILITY: probability}

    def _several(self, x: Any) -> dict[str, Array]:
        """A model of several outputs: label0, probability0, label1, …"""
        found: dict[str, Array] = {}
        for number, part in enumerate(self._model.predict_proba(x)):
            classes = np.asarray(self._model.classes_[number])
            found[f"{LABEL}{number}"] = class_numbers(classes)[np.argmax(part, axis=1)]
            found[f"{PROBABILITY}{number}"] = _plain(part)
        return found


def _needs_names(model: Any) -> bool:
    """Whether columns are taken by the names that they had in the table that `model` was fitted on."""
    parts = (model, *model.get_params().values())
    return hasattr(model, "feature_names_in_") and any(
        type(part).__name__ == "ColumnTransformer" for part in parts
    )


def _detects_outliers(model: Any) -> bool:
    from sklearn.base import is_outlier_detector

    return bool(is_outlier_detector(model))


def _plain(result: Any) -> Array:
    array = np.asarray(result.toarray() if hasattr(result, "toarray") else result)
    return array.astype(np.float64)


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> SklearnSource | LightgbmSource:
    """The estimator, or LightGBM's model, in `folder`."""
    if (folder / FILE).is_file():
        return LightgbmSource(folder, threads)
    return SklearnSource(read_estimator(model_file(folder, "SKLEARN"), trust_pickle=trust_pickle), threads)
