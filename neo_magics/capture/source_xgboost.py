"""An XGBoost model in XGBoost: inplace_predict, its way without a copy into a DMatrix, which trees have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.files import model_file
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.tabular import INPUT, LABEL, PREDICTION, PROBABILITY
from neo_magics.capture.xgboost_file import (
    has_several_labels,
    is_classifier,
    is_linear,
    read_booster,
    used_rounds,
)

Array = np.ndarray[Any, Any]


class XgboostSource:
    """A classifier gives label and probability from one prediction, all others "prediction"."""

    def __init__(self, booster: Any, threads: int | None) -> None:
        import xgboost

        if threads:
            booster.set_param({"nthread": threads})
        self._booster, self._threads = booster, threads
        self._rounds = (0, used_rounds(booster)) if booster.num_boosted_rounds() else (0, 0)
        self._classifies = is_classifier(booster)
        self._linear = is_linear(booster)
        self._several = has_several_labels(booster)
        self.input_specs = (TensorInfo(INPUT, ("n", int(booster.num_features())), "float32"),)
        self.versions = {"xgboost": str(xgboost.__version__)}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs as a compiled model names and shapes them."""
        got = self._predicted(inputs[INPUT])
        if not self._classifies:
            return {PREDICTION: got}
        if self._several:
            return {LABEL: (got > 0.5).astype(np.int64), PROBABILITY: got}
        if got.ndim > 1:
            return {LABEL: np.argmax(got, axis=1).astype(np.int64), PROBABILITY: got}
        label = (got > 0.5).astype(np.int64)
        return {LABEL: label, PROBABILITY: np.stack([1.0 - got, got], axis=1).astype(np.float32)}

    def _predicted(self, x: Array) -> Array:
        if self._linear:
            import xgboost

            return np.asarray(self._booster.predict(xgboost.DMatrix(x, nthread=self._threads)))
        return np.asarray(self._booster.inplace_predict(x, iteration_range=self._rounds))


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> XgboostSource:
    """The model file in `folder`."""
    return XgboostSource(read_booster(model_file(folder, "XGBOOST"), trust_pickle=trust_pickle), threads)
