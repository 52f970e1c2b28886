"""A LightGBM model in LightGBM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.classes import class_numbers
from neo_magics.capture.lightgbm import CLASSES, FILE
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.tabular import INPUT, LABEL, PREDICTION, PROBABILITY
from neo_magics.errors import InputError

Array = np.ndarray[Any, Any]


class LightgbmSource:
    """A classifier gives label and probability from one prediction, a Booster "prediction"."""

    def __init__(self, folder: Path, threads: int | None) -> None:
        import lightgbm

        try:
            self._booster = lightgbm.Booster(model_str=(folder / FILE).read_text(encoding="utf-8"))
        except lightgbm.basic.LightGBMError as error:
            raise InputError(f"LightGBM cannot read {FILE}: {error}.") from error
        self._options = {"num_threads": threads} if threads else {}
        self._classes = lightgbm_classes(folder)
        self.input_specs = (TensorInfo(INPUT, ("n", int(self._booster.num_feature())), "float64"),)
        self.versions = {"lightgbm": str(lightgbm.__version__)}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs as a compiled model names and shapes them."""
        got = np.asarray(self._booster.predict(inputs[INPUT], **self._options))
        if self._classes is None:
            return {PREDICTION: got}
        both = got if got.ndim > 1 else np.stack([1.0 - got, got], axis=1)
        return {LABEL: class_numbers(self._classes)[np.argmax(both, axis=1)], PROBABILITY: both}


def lightgbm_classes(folder: Path) -> Array | None:
    """The classes of a classifier; None for any other model."""
    path = folder / CLASSES
    return np.array(json.loads(path.read_text(encoding="utf-8"))["classes"]) if path.is_file() else None
