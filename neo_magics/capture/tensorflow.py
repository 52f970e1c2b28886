"""TensorFlow: a SavedModel folder, a frozen graph, a tf.Module or a tf.function as a model archive."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from neo_magics.api.input_config import render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import Arrays, bind_inputs
from neo_magics.capture.layouts import captured_shapes
from neo_magics.capture.request import CaptureRequest
from neo_magics.capture.tensorflow_process import describe, tensor_infos
from neo_magics.errors import CaptureError

_BESIDE = ("fingerprint.pb", "keras_metadata.pb")


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework TENSORFLOW.

    `model` is the folder of a SavedModel, a path to a frozen .pb or .pbtxt, or an object that
    `tf.saved_model.save` takes: a tf.Module whose __call__ is a tf.function with an input signature.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        if path.is_dir():
            return _archive(path, request)
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / f"model{path.suffix}").write_bytes(path.read_bytes())
            return _archive(Path(name), request)
    with tempfile.TemporaryDirectory() as name:
        _save(model, Path(name))
        return _archive(Path(name), request)


def _save(model: Any, folder: Path) -> None:
    import tensorflow

    is_function = hasattr(model, "get_concrete_function")
    bound: Any = model if is_function else getattr(model, "__call__", None)  # noqa: B004  a tf.function
    if not hasattr(bound, "get_concrete_function"):
        raise CaptureError(
            f"A {type(model).__name__} of TensorFlow is not a model with a signature.",
            hint="Decorate __call__ with @tf.function(input_signature=[tf.TensorSpec(…)]), or give the "
            "folder of a SavedModel.",
        )
    try:
        holder = model
        if is_function:
            holder = tensorflow.Module()
            holder.function = model
        signature = bound.get_concrete_function()
        tensorflow.saved_model.save(holder, str(folder), signatures=signature)
    except (ValueError, TypeError) as error:
        raise CaptureError(
            f"tf.saved_model.save cannot save {type(model).__name__}: {' '.join(str(error).split())[:300]}",
            hint="Give its function an input_signature, with names and shapes (None for a free dimension).",
        ) from error


def _archive(folder: Path, request: CaptureRequest) -> ModelArchive:
    said = describe(folder, trust=request.trust_pickle)
    specs = tensor_infos(said)
    names = [spec.name for spec in specs]
    examples: Arrays = {}
    if request.inputs is not None:
        examples = bind_inputs(request.inputs, names, names)
        examples = {spec.name: examples[spec.name].astype(spec.dtype, copy=False) for spec in specs}
    shapes = captured_shapes(specs, examples, request)
    return ModelArchive(
        framework="TENSORFLOW",
        framework_version=str(said["version"]),
        data_input_config=render(shapes) if shapes else "",
        files=_files(folder),
        inputs=examples,
        input_names=tuple(names),
        output_names=tuple(said["outputs"]),
        input_dtypes={spec.name: spec.dtype for spec in specs},
    )


def _files(folder: Path) -> dict[str, bytes | Path]:
    """The files of the model, read now: the folder may be a temporary one."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in _BESIDE]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
