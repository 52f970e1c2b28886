"""Which object of a cell is the model: recognised by class names, so that nothing is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from neo_magics.errors import UsageError

# Module and name of the classes that are models, without the framework's inner modules.
_CLASSES = {
    ("torch", "Module"),
    ("torch", "ExportedProgram"),
    ("torch", "ScriptFunction"),
    ("onnx", "ModelProto"),
    ("keras", "Model"),
    ("tensorflow", "Module"),
    ("xgboost", "Booster"),
    ("xgboost", "XGBModel"),
    ("lightgbm", "Booster"),
    ("sklearn", "BaseEstimator"),
    ("mxnet", "HybridBlock"),
}
_FILES = (".onnx", ".pt2", ".pt", ".pth", ".tflite", ".h5", ".keras", ".ubj", ".skops")


def is_model(value: Any) -> bool:
    """Whether `value` is an object of a framework's model class or names a model file."""
    if isinstance(value, (str, PurePath)):
        return str(value).endswith(_FILES)
    classes = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(value).__mro__}
    return bool(classes & _CLASSES) and not _is_loss(value)


def _is_loss(value: Any) -> bool:
    return any(cls.__module__ == "torch.nn.modules.loss" for cls in type(value).__mro__)


def defined(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The models that a cell bound to a name: new or changed in `after`, parts of others left out."""
    models = {
        name: value
        for name, value in after.items()
        if not name.startswith("_") and before.get(name) is not value and is_model(value)
    }
    parts = {id(part) for value in models.values() for part in _parts(value)}
    return {name: value for name, value in models.items() if id(value) not in parts}


def _parts(value: Any) -> list[Any]:
    modules = getattr(value, "modules", None)
    return [m for m in modules() if m is not value] if callable(modules) else []


def choose(last: Any, candidates: Mapping[str, Any]) -> Any:
    """The cell's model: its last expression, else the only model that it defined.

    Raises:
        UsageError: there is none, or several (the message lists them).
    """
    if is_model(last):
        return last
    distinct = {id(value): name for name, value in candidates.items()}
    if len(distinct) == 1:
        return candidates[next(iter(distinct.values()))]
    if distinct:
        names = ", ".join(sorted(distinct.values()))
        raise UsageError(
            f"The cell defines several models: {names}.",
            hint="End it with the one to compile, or say --model NAME.",
        )
    ending = "" if last is None else f" (its last expression is of type {type(last).__name__})"
    raise UsageError(
        f"The cell holds no model that can be compiled{ending}.",
        hint="End it with the model, or name one with --model NAME.",
    )
