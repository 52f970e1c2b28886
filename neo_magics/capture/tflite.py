"""TFLite: a path or the bytes of a converter as a model archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neo_magics.api.input_config import render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import bind_inputs
from neo_magics.capture.layouts import captured_shapes
from neo_magics.capture.request import CaptureRequest, TensorInfo
from neo_magics.capture.tflite_file import model_path_content, read_tflite
from neo_magics.errors import CaptureError


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework TFLITE; `model` is a path, bytes, or the tflite package's Model."""
    content, name = _content(model)
    file = read_tflite(content, name)
    names = [spec.name for spec in file.inputs]
    required = [name for name in names if name not in file.state]
    examples = {}
    if request.inputs is not None or not required:
        given = {} if request.inputs is None else request.inputs
        examples = {**file.state, **bind_inputs(given, names, required)}
    examples = {spec.name: _cast(examples[spec.name], spec) for spec in file.inputs if examples}
    shapes = captured_shapes(file.inputs, examples, request, free=1)
    return ModelArchive(
        framework="TFLITE",
        framework_version=f"schema {file.version}",
        data_input_config=render(shapes) if shapes else "",
        files={"model.tflite": content},
        inputs=examples,
        input_names=tuple(names),
        output_names=tuple(spec.name for spec in file.outputs),
        input_dtypes={spec.name: spec.dtype for spec in file.inputs},
    )


def _content(model: Any) -> tuple[bytes, str]:
    if isinstance(model, str | Path):
        return model_path_content(Path(model)), Path(model).name
    if isinstance(model, bytes | bytearray | memoryview):
        return bytes(model), "The model"
    table = getattr(model, "_tab", None)  # the tflite package's Model is a view of the whole file
    if table is not None:
        return bytes(table.Bytes), "The model"
    raise CaptureError(
        f"A {type(model).__name__} does not give its model back.",
        hint="Give the path of the .tflite file, or the bytes that the converter returned.",
    )


def _cast(array: Any, spec: TensorInfo) -> Any:
    """float64 examples (NumPy's default) become the model's float type; other dtypes must match."""
    if str(array.dtype) == spec.dtype:
        return array
    if array.dtype.kind == "f" and spec.dtype.startswith("float"):
        return array.astype(spec.dtype)
    raise CaptureError(
        f"Input {spec.name!r} of the model is {spec.dtype}; the example is {array.dtype}.",
        hint=f"Give an example of dtype {spec.dtype}.",
    )
