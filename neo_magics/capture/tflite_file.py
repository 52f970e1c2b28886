"""Reading a `.tflite` file: what its inputs and outputs are called, and their shapes and dtypes.

Names are the tensors' own, which is what Neo's DataInputConfig uses. The small `tflite` package reads the
file; neither TensorFlow nor LiteRT is needed for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neo_magics.capture.needs import needed
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.tflite_state import has_variables, without_variables
from neo_magics.errors import InputError

_STEPS = 2
MAGIC = b"TFL3"  # at bytes 4 to 8
_DTYPES = {
    "FLOAT32": "float32",
    "FLOAT16": "float16",
    "FLOAT64": "float64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "BOOL": "bool",
}


@dataclass(frozen=True)
class TfliteFile:
    """A parsed file. `model` is the tflite package's; free dimensions of inputs are names.

    A model with variables is its twin without (`tflite_state`); `state` holds their first values by input.
    """

    model: Any
    content: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    version: int
    rounding: Mapping[str, float]  # of the outputs of a quantised model
    state: Mapping[str, Any] = field(default_factory=dict)


def is_tflite(content: bytes) -> bool:
    """Whether the bytes begin as a TFLite model does."""
    return content[4:8] == MAGIC


def read_tflite(content: bytes, name: str) -> TfliteFile:
    """The model in `content`; `InputError` for what is none, is cut short, or takes text."""
    tflite = needed("tflite", "TFLite models", "tflite")
    if not is_tflite(content):
        raise _unreadable(name, "it does not begin as one")
    state: Mapping[str, Any] = {}
    try:
        model = tflite.Model.GetRootAsModel(content, 0)
        if model.Subgraphs(0) is not None and has_variables(tflite, model):
            content, state = without_variables(content)
            model = tflite.Model.GetRootAsModel(content, 0)
        graph = model.Subgraphs(0)
        if graph is None or not graph.OutputsLength():
            raise _unreadable(name, "it has no graph")
        inputs = _tensors(tflite, graph, [graph.Inputs(i) for i in range(graph.InputsLength())])
        outputs = _tensors(tflite, graph, [graph.Outputs(i) for i in range(graph.OutputsLength())])
        _check_buffers(model, name)
        rounding = _rounding(graph, [info.name for info in outputs])
    except (ValueError, IndexError, TypeError, AttributeError, OverflowError) as error:
        raise _unreadable(name, str(error) or type(error).__name__) from error
    except Exception as error:  # struct.error, whose class is private to the reader
        if type(error).__name__ != "error":
            raise
        raise _unreadable(name, str(error)) from error
    return TfliteFile(model, content, inputs, outputs, int(model.Version()), rounding, state)


def dtype_name(tflite: Any, number: int) -> str:
    """NumPy's name of a TensorType; its own name in lower case where NumPy has none."""
    listed = vars(tflite.TensorType).items()
    names = {value: str(name) for name, value in listed if isinstance(value, int)}
    name = names.get(number, f"type {number}")
    return _DTYPES.get(name, name.lower())


def _tensors(tflite: Any, graph: Any, indices: Sequence[int]) -> tuple[TensorInfo, ...]:
    found: list[TensorInfo] = []
    for index in indices:
        tensor = graph.Tensors(index)
        name = tensor.Name().decode()
        if any(info.name == name for info in found):
            name = f"{name}_{index}"
        dtype = dtype_name(tflite, tensor.Type())
        if dtype not in _DTYPES.values():
            raise InputError(
                f"Input or output {name!r} of the model is {dtype}, which is no number.",
                hint="Cut the text part off the model and compile the numeric part.",
            )
        found.append(TensorInfo(name, _shape(tensor, name), dtype))
    return tuple(found)


def _shape(tensor: Any, name: str) -> tuple[int | str, ...]:
    """The signature says which dimensions are free; the shape has 1 in their places."""
    sizes = [int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength())]
    if tensor.ShapeSignatureLength() == len(sizes):
        sizes = [int(tensor.ShapeSignature(axis)) for axis in range(len(sizes))]
    return tuple(
        size if size > 0 else "batch" if axis == 0 else f"{name}_dim{axis}" for axis, size in enumerate(sizes)
    )


def _rounding(graph: Any, names: Sequence[str]) -> dict[str, float]:
    """Two steps of each quantised output. Kernels round differently, and nothing says which is right."""
    makers = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        makers.update({operator.Outputs(i): operator for i in range(operator.OutputsLength())})
    found = {}
    for position, name in enumerate(names):
        place = graph.Outputs(position)
        step = _scale(graph.Tensors(place))
        if step is not None:
            found[name] = float(_STEPS)
        elif place in makers and makers[place].InputsLength():
            step = _scale(graph.Tensors(makers[place].Inputs(0)))  # of what a DEQUANTIZE reads
            found |= {name: _STEPS * step} if step is not None else {}
    return found


def _scale(tensor: Any) -> float | None:
    quantised = tensor.Quantization() if tensor is not None else None
    return float(quantised.Scale(0)) if quantised is not None and quantised.ScaleLength() else None


def _check_buffers(model: Any, name: str) -> None:
    """Weights that do not lie within the file would be read as whatever is behind it."""
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength() and len(buffer.DataAsNumpy()) != buffer.DataLength():
            raise _unreadable(name, "it is cut short")


def model_path_content(path: Path) -> bytes:
    """The bytes of `path`; `InputError` where a file system says no."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path.name, str(error)) from error


def _unreadable(name: str, why: str) -> InputError:
    return InputError(
        f"{name} is not a TFLite model that can be read: {why[:200]}.",
        hint="It may be cut short. Convert the model again.",
    )
