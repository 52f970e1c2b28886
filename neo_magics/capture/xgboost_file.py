"""Reading XGBoost's model files: JSON and UBJSON; a pickle only where it is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neo_magics.capture.tabular import is_pickle
from neo_magics.errors import InputError, UntrustedPickleError

ESTIMATOR = "scikit_learn"  # the attribute by which XGBoost marks the file of an estimator


def read_booster(path: Path, *, trust_pickle: bool = False) -> Any:
    """The `xgboost.Booster` in `path`.

    Raises `UntrustedPickleError` for a pickle that is not trusted, `InputError` for what XGBoost cannot read.
    """
    import xgboost

    content = path.read_bytes()
    if is_pickle(content[:2]):
        return _unpickled(path, content, trust_pickle)
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        line = (str(error).strip().splitlines() or [""])[-1]
        raise InputError(
            f"XGBoost cannot read {path.name}: {line[:300]}",
            hint="Save the model with booster.save_model('model.json') or '.ubj'.",
        ) from error
    return booster


def is_classifier(booster: Any) -> bool:
    """Whether the file was an XGBClassifier's: it predicts labels and probabilities."""
    return estimator_kind(booster) == "classifier"


def estimator_kind(booster: Any) -> str:
    """ "classifier", "regressor", …, or "" for a Booster of XGBoost's own interface."""
    text = booster.attr(ESTIMATOR)
    return str(json.loads(text).get("_estimator_type", "")) if text else ""


def is_linear(booster: Any) -> bool:
    """Whether it is a gblinear, which has weights in place of trees."""
    learner = json.loads(booster.save_config())["learner"]
    return bool(learner["gradient_booster"]["name"] == "gblinear")


def has_several_labels(booster: Any) -> bool:
    """Whether each row may have several labels at once, each with a probability of its own."""
    parameters = json.loads(booster.save_config())["learner"]["learner_model_param"]
    return int(parameters.get("num_target", "1")) > 1


def used_rounds(booster: Any) -> int:
    """The boosting rounds that a prediction uses: an estimator stops at the best, a Booster uses all."""
    rounds = int(booster.num_boosted_rounds())
    best = booster.attr("best_iteration")
    return min(rounds, int(best) + 1) if best is not None and booster.attr(ESTIMATOR) else rounds


def _unpickled(path: Path, content: bytes, trust_pickle: bool) -> Any:
    import pickle

    import xgboost

    if not trust_pickle:
        raise UntrustedPickleError(
            f"{path.name} is a pickle, and reading a pickle runs whatever code is in it.",
            hint="Save the model with booster.save_model('model.json') or '.ubj'; or, if you trust the file, "
            "say --trust-pickle.",
        )
    model = pickle.loads(content)  # noqa: S301 - the user said that it is trusted
    if isinstance(model, xgboost.XGBModel):
        booster = model.get_booster()
        if isinstance(model, xgboost.XGBClassifier):
            booster.set_attr(**{ESTIMATOR: json.dumps({"_estimator_type": "classifier"})})
        return booster
    if isinstance(model, xgboost.Booster):
        return model
    raise InputError(f"{path.name} holds a {type(model).__name__}, not a model of XGBoost.")
