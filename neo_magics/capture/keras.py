"""Keras: a live model, or a `.keras` or `.h5` file, as a model archive."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from neo_magics.api.input_config import render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import Arrays, bind_inputs
from neo_magics.capture.keras_file import KerasFile, check_safe, describe, foreign_classes, reproducible
from neo_magics.capture.layouts import captured_shapes
from neo_magics.capture.request import CaptureRequest, TensorInfo
from neo_magics.errors import CaptureError


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework KERAS; `model` is a keras.Model of any backend, or a path.

    A model that is built of Keras' own layers travels as `.keras` (`.h5` where `request.portable`); one with
    layers of the user's own is exported here, which needs the torch backend.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        file = describe(path)
        check_safe(path, file, trust=request.trust_pickle)
        return _archive(path, path.suffix.lower(), file, request)
    if not hasattr(model, "save") or not hasattr(model, "get_config"):
        raise CaptureError(
            f"A {type(model).__name__} of Keras is not a model.", hint="Give a keras.Model or a path."
        )
    return _live(model, request)


def _live(model: Any, request: CaptureRequest) -> ModelArchive:
    old = type(model).__module__.startswith("tf_keras")
    suffix = ".h5" if request.portable or old else ".keras"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        reason = _saved(model, path)
        if not reason:
            file = describe(path)
            foreign = foreign_classes(file.config)
            if not foreign and file.inputs:
                check_safe(path, file, trust=request.trust_pickle)
                return _archive(path, suffix, file, request)
            reason = f"it has {', '.join(foreign)}" if foreign else "it does not say its inputs"
    return _exported(model, request, reason)


def _saved(model: Any, path: Path) -> str:
    """Save `model`; why it cannot be, or ""."""
    import logging
    import warnings

    logger = logging.getLogger("absl")
    before = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # .h5 is called legacy; SageMaker takes nothing else
            model.save(str(path))
    except Exception as error:  # noqa: BLE001  whatever the user's get_config raises
        return " ".join(str(error).split())[:200] or type(error).__name__
    finally:
        logger.setLevel(before)
    return ""


def _archive(path: Path, suffix: str, file: KerasFile, request: CaptureRequest) -> ModelArchive:
    if request.portable and suffix != ".h5":
        raise CaptureError(
            "SageMaker takes Keras models as .h5.",
            hint="Save it with model.save('model.h5'), give that path.",
        )
    examples = _examples(file.inputs, request)
    shapes = captured_shapes(file.inputs, examples, request)
    content = path.read_bytes()
    return ModelArchive(
        framework="KERAS",
        framework_version=file.keras_version,
        data_input_config=render(shapes) if shapes else "",
        files={f"model{suffix}": reproducible(content) if suffix == ".keras" else content},
        inputs=examples,
        input_names=tuple(spec.name for spec in file.inputs),
        output_names=file.output_names,
        input_dtypes={spec.name: spec.dtype for spec in file.inputs},
    )


def _examples(specs: tuple[TensorInfo, ...], request: CaptureRequest) -> Arrays:
    """The given examples in the dtypes of the inputs: NumPy's float64 and int64 are cast, as Keras does."""
    if request.inputs is None:
        return {}
    names = [spec.name for spec in specs]
    examples = bind_inputs(request.inputs, names, names)
    return {spec.name: examples[spec.name].astype(spec.dtype, copy=False) for spec in specs}


def _exported(model: Any, request: CaptureRequest, reason: str) -> ModelArchive:
    """The model as torch.export's program: Keras computes in PyTorch, so it is the same model."""
    name = type(model).__name__
    if request.portable:
        raise CaptureError(
            f"{name} cannot be sent as .h5: {reason}.", hint="Use Keras' own layers, or the local backend."
        )
    if not _on_torch(model):
        raise CaptureError(
            f"{name} cannot be rebuilt from a file: {reason}. Only the live model has its code, and it is "
            "not on Keras' torch backend.",
            hint="Set KERAS_BACKEND=torch before Keras is imported, load the weights, give the model again.",
        )
    if not model.built:
        raise CaptureError(
            f"{name} has no weights yet: it was never called.",
            hint="Call it once on an example, then give it.",
        )
    from neo_magics.capture import pytorch
    from neo_magics.capture.keras_model import as_module, whole_recurrent_layers

    with whole_recurrent_layers(model):
        archive = pytorch.capture_model(as_module(model), request)
    return replace(archive, framework="KERAS")


def _on_torch(model: Any) -> bool:
    return any(base.__module__.startswith("torch.") for base in type(model).__mro__)
