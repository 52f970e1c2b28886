"""ONNX: a ModelProto or a path to .onnx as a model archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neo_magics.api.input_config import Shape, render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import Arrays, bind_inputs
from neo_magics.capture.onnx_file import external_files, graph_inputs, read_onnx, value_dtype, value_shape
from neo_magics.capture.request import CaptureRequest
from neo_magics.errors import CaptureError

_LARGEST = 2**31 - 1  # protobuf's limit on one message


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework ONNX; `model` is an onnx.ModelProto or a path.

    Weights in files of their own (external data) travel beside the model. Shapes come from the model, from
    the example inputs where the model leaves them open, and from `input_shape` above both.
    """
    is_path = isinstance(model, str | Path)
    proto = read_onnx(Path(model), weights=False) if is_path else model
    if not hasattr(proto, "graph"):
        raise CaptureError(
            f"A {type(model).__name__} of ONNX is not a model.", hint="Give an onnx.ModelProto or a path."
        )
    values = graph_inputs(proto)
    names = [value.name for value in values]
    examples = _examples(values, request)
    shapes = {value.name: _shape(value, examples, request) for value in values}
    return ModelArchive(
        framework="ONNX",
        framework_version=_version(),
        data_input_config=render(shapes) if shapes else "",
        files=_path_files(Path(model), proto) if is_path else _proto_files(proto),
        inputs=examples,
        input_names=tuple(names),
        output_names=tuple(value.name for value in proto.graph.output),
        input_dtypes={value.name: value_dtype(value) for value in values},
    )


def _examples(values: Sequence[Any], request: CaptureRequest) -> Arrays:
    if request.inputs is None:
        return {}
    names = [value.name for value in values]
    examples = bind_inputs(request.inputs, names, names)
    return {value.name: _cast(examples[value.name], value) for value in values}


def _cast(array: Any, value: Any) -> Any:
    """float64 examples (NumPy's default) become the model's float type; other dtypes must match."""
    expected = value_dtype(value)
    if str(array.dtype) == expected:
        return array
    if array.dtype.kind == "f" and expected in ("float32", "float16"):
        return array.astype(expected)
    raise CaptureError(
        f"Input {value.name!r} of the model is {expected}; the example is {array.dtype}.",
        hint=f"Give an example of dtype {expected}.",
    )


def _shape(value: Any, examples: Arrays, request: CaptureRequest) -> Shape:
    names = [value.name] if isinstance(request.input_shape, dict) else list(examples) or [value.name]
    declared = value_shape(value)
    example = tuple(examples[value.name].shape) if value.name in examples else None
    if isinstance(request.input_shape, dict):
        given = request.input_shape.get(value.name)
    else:
        given = request.shapes(names).get(value.name)
    shape = given or example or declared
    if shape is None or (given is None and example is None and None in shape):
        raise CaptureError(
            f"The model leaves the shape of input {value.name!r} open: {_listed(declared)}.",
            hint=f"Give example inputs, or shapes: --input-shape '{{\"{value.name}\": [1, …]}}'.",
        )
    for sizes in (given, example):
        if sizes is not None and declared is not None and not _agree(sizes, declared):
            raise CaptureError(
                f"Input {value.name!r} of the model has shape {_listed(declared)}, got {_listed(sizes)}.",
                hint="Give an example and shapes that fit the model.",
            )
    return shape


def _agree(given: Shape, declared: Shape) -> bool:
    pairs = list(zip(given, declared, strict=False))
    return len(given) == len(declared) and all(d is None or g is None or g == d for g, d in pairs)


def _listed(shape: Shape | None) -> str:
    return "unknown" if shape is None else str(["null" if s is None else s for s in shape]).replace("'", "")


def _path_files(path: Path, proto: Any) -> dict[str, bytes | Path]:
    files: dict[str, bytes | Path] = {"model.onnx": path}
    files.update({name: path.parent / name for name in external_files(proto)})
    return files


def _proto_files(proto: Any) -> dict[str, bytes | Path]:
    if external_files(proto):
        raise CaptureError(
            "The model's weights are in files of their own, which a ModelProto does not carry.",
            hint="Give the path of the .onnx file, or load it with its weights (onnx.load).",
        )
    if proto.ByteSize() > _LARGEST:
        raise CaptureError(
            f"The model is {proto.ByteSize() / 2**30:.1f} GiB; an ONNX message holds at most 2 GiB.",
            hint="Save it with onnx.save(…, save_as_external_data=True) and give the path.",
        )
    return {"model.onnx": proto.SerializeToString(deterministic=True)}


def _version() -> str:
    from importlib.metadata import version

    return version("onnx")
