"""XGBoost: a Booster, one of its scikit-learn estimators, or a model file as a model archive."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.request import CaptureRequest
from neo_magics.capture.tabular import table_archive
from neo_magics.capture.xgboost_file import read_booster
from neo_magics.errors import CaptureError


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework XGBOOST with the model as UBJSON, which is no pickle.

    The file ends in .ubj, or in .model where the archive must be what SageMaker takes.
    """
    import xgboost

    if isinstance(model, str | Path):
        model = read_booster(Path(model), trust_pickle=request.trust_pickle)
    booster = _booster(model)
    name = "model.model" if request.portable else "model.ubj"
    return table_archive(
        "XGBOOST",
        str(xgboost.__version__),
        {name: bytes(_saved(model, booster))},
        int(booster.num_features()),
        request,
        "float32",
    )


def _booster(model: Any) -> Any:
    import xgboost

    if isinstance(model, xgboost.Booster):
        return model
    if not isinstance(model, xgboost.XGBModel):
        raise CaptureError(
            f"A {type(model).__name__} of XGBoost is not a model.",
            hint="Give a Booster, an XGBoost estimator, or a path to .json, .ubj or .model.",
        )
    missing = model.missing
    if missing is not None and not math.isnan(missing):
        raise CaptureError(
            f"The estimator takes {missing} as a missing value, which its file does not say.",
            hint="Set missing=numpy.nan and give NaN in place of that number.",
        )
    return model.get_booster()


def _saved(model: Any, booster: Any) -> bytearray:
    """The model's bytes; an estimator is marked as one, as its own save_model does."""
    import json

    if model is booster or booster.attr("scikit_learn"):
        return bytearray(booster.save_raw("ubj"))
    kind = getattr(model, "_estimator_type", "") or _kind(model)
    copy = booster.copy()
    copy.set_attr(scikit_learn=json.dumps({"_estimator_type": kind}))
    return bytearray(copy.save_raw("ubj"))


def _kind(model: Any) -> str:
    import xgboost

    return "classifier" if isinstance(model, xgboost.XGBClassifier) else "regressor"
