"""LightGBM: a Booster or one of its estimators as a model archive.

The CompilationJob API has no name for LightGBM. It travels as SKLEARN, whose archive Neo leaves undocumented,
and not as XGBOOST, whose archive is documented and is not this. The archive holds LightGBM's own text format
as `lightgbm.txt`, and `lightgbm.json` with the classes of a classifier.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.request import CaptureRequest
from neo_magics.capture.tabular import table_archive
from neo_magics.errors import CaptureError, InputError

FILE, CLASSES = "lightgbm.txt", "lightgbm.json"


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework SKLEARN; no pickle is in it."""
    import lightgbm

    booster = _booster(model)
    files = {FILE: booster.model_to_string().encode()}
    if isinstance(model, lightgbm.LGBMClassifier):
        files[CLASSES] = json.dumps({"classes": np.asarray(model.classes_).tolist()}).encode()
    return table_archive(
        "SKLEARN", f"lightgbm {lightgbm.__version__}", files, int(booster.num_feature()), request, "float64"
    )


def read_text(path: Path) -> Any:
    """The `lightgbm.Booster` that save_model wrote to `path`; `InputError` for another text."""
    import lightgbm

    try:
        return lightgbm.Booster(model_str=path.read_text())
    except (OSError, UnicodeDecodeError, lightgbm.basic.LightGBMError) as error:
        raise InputError(
            f"{path.name} is not a model of LightGBM that can be read: {str(error)[:200]}.",
            hint="Save it with booster.save_model('model.txt').",
        ) from error


def _booster(model: Any) -> Any:
    import lightgbm

    if isinstance(model, lightgbm.Booster):
        return model
    if isinstance(model, lightgbm.LGBMModel):
        return model.booster_
    raise CaptureError(
        f"A {type(model).__name__} of LightGBM is not a model.",
        hint="Give a Booster or a fitted LightGBM estimator.",
    )
