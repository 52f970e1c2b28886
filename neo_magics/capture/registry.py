"""Which framework a live object or a file belongs to, and the one entry point `capture`.

Objects are recognised by the names of the modules that their classes come from, so that no framework is
imported to look at an object of another. A framework is added by one file with a function
`capture_model(model, request) -> ModelArchive` and one line in `FRAMEWORKS`; by another package, with an
entry point of the group "neo_magics.frameworks" that names a `Framework`. Its `capture_model` returns an
archive of one of the API's frameworks, ONNX as a rule, so that the rest of a job is as for any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from neo_magics.api import input_config
from neo_magics.api.input_config import Shape
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.request import CaptureRequest, Shapes
from neo_magics.errors import CaptureError, InputError, UsageError

GROUP = "neo_magics.frameworks"
_TREES = b"tree\n"  # how the text format of LightGBM begins


@dataclass(frozen=True)
class Framework:
    """One of Neo's frameworks: where its classes live, what its files end in, what captures it."""

    name: str
    roots: tuple[str, ...]
    suffixes: tuple[str, ...]
    takes: str  # for a person: what can be captured
    module: str = ""  # with capture_model; empty: not yet supported locally


# In the order of asking: a Keras model with the torch backend is a torch module too, and XGBoost's
# estimators are scikit-learn's.
FRAMEWORKS = (
    Framework(
        "KERAS",
        ("keras", "tf_keras"),
        (".h5", ".keras"),
        "a keras.Model, .keras, .h5",
        "neo_magics.capture.keras",
    ),
    Framework(
        "TENSORFLOW",
        ("tensorflow",),
        (".pb", ".pbtxt"),
        "a tf.Module, a SavedModel folder, a frozen .pb",
        "neo_magics.capture.tensorflow",
    ),
    Framework(
        "XGBOOST",
        ("xgboost",),
        (".model", ".ubj", ".json"),
        "a Booster or XGBoost estimator, .json, .ubj, .model",
        "neo_magics.capture.xgboost",
    ),
    Framework(
        "SKLEARN",
        ("sklearn", "lightgbm"),
        (".skops", ".joblib", ".pkl"),
        "a scikit-learn estimator or pipeline, .skops; a LightGBM Booster or estimator, its .txt",
        "neo_magics.capture.sklearn",
    ),
    Framework(
        "MXNET",
        ("mxnet",),
        (".params",),
        "a Gluon block, (symbol, arg_params, aux_params), -symbol.json with .params",
        "neo_magics.capture.mxnet",
    ),
    Framework(
        "TFLITE",
        ("tflite", "ai_edge_litert", "tflite_runtime"),
        (".tflite",),
        "the bytes of a TFLite model, .tflite",
        "neo_magics.capture.tflite",
    ),
    Framework(
        "DARKNET", (), (".cfg", ".weights"), ".cfg with .weights beside it", "neo_magics.capture.darknet"
    ),
    Framework("ONNX", ("onnx",), (".onnx",), "an onnx.ModelProto, .onnx", "neo_magics.capture.onnx"),
    Framework(
        "JAX",
        ("jax", "jaxlib", "flax", "equinox"),
        (),
        "a jitted JAX function or a module of flax or equinox, with example inputs",
        "neo_magics.capture.jax",
    ),
    Framework(
        "PYTORCH",
        ("torch",),
        (".pt2", ".pt", ".pth"),
        "a torch.nn.Module, ExportedProgram or ScriptModule, .pt2, .pt, .pth",
        "neo_magics.capture.pytorch",
    ),
)


def frameworks() -> tuple[Framework, ...]:
    """Those of other packages first, so that one can take a class for itself, then our own."""
    return (*(entry.load() for entry in entry_points(group=GROUP)), *FRAMEWORKS)


def capture(
    model: Any,
    *,
    inputs: Any = None,
    input_shape: str | Mapping[str, Any] | list[Any] | None = None,
    framework: str | None = None,
    portable: bool = False,
    trust_pickle: bool = False,
) -> ModelArchive:
    """Turn a live model, or a path to a model file, into a `ModelArchive`.

    `inputs` are example inputs: a tensor or array, a tuple of them, or a dict by name. `input_shape` is
    Neo's DataInputConfig (JSON or a Python literal, by name or as a list; null for a free dimension); given
    together, the examples say dtypes and the shapes say which dimensions are free. `portable` makes the
    file that SageMaker itself takes (TorchScript in place of .pt2).

    Raises `CaptureError` with a next step, and `UntrustedPickleError` for a file that can only be read by
    running a pickle, unless `trust_pickle`.
    """
    request = CaptureRequest(inputs, parse_shapes(input_shape), portable, trust_pickle)
    chosen = _named(framework) if framework else recognise(model)
    if not chosen.module:
        working = [entry.name for entry in frameworks() if entry.module]
        raise CaptureError(
            f"{chosen.name} models are not yet supported locally.",
            hint=f"Use --backend sagemaker, or convert the model to one of {', '.join(working)}.",
            framework=chosen.name,
        )
    archive: ModelArchive = import_module(chosen.module).capture_model(model, request)
    _refuse_empty(archive)
    return archive


def _refuse_empty(archive: ModelArchive) -> None:
    """Raise CaptureError for an input without elements, which a job's shapes cannot say."""
    shapes = json.loads(archive.data_input_config or "{}")
    named = shapes.items() if isinstance(shapes, dict) else enumerate(shapes)
    for name, shape in named:
        if isinstance(shape, list) and 0 in shape:
            raise CaptureError(
                f"Input {name!r} has no elements: its shape is {shape}.",
                hint="Give an example with at least one element, or take that input out of the model.",
            )


def recognise(model: Any) -> Framework:
    """The framework of `model`; `CaptureError` lists what is known."""
    if isinstance(model, bytes | bytearray | memoryview) and bytes(model[4:8]) == b"TFL3":
        return _named("TFLITE")
    if isinstance(model, tuple | list) and model:  # two files, or a network and its weights
        return recognise(model[0])
    found = _by_path(Path(model)) if isinstance(model, str | Path) else _by_class(type(model))
    if found:
        return found
    what = str(model) if isinstance(model, str | Path) else f"an object of {_qualified(type(model))}"
    known = "; ".join(f"{entry.name}: {entry.takes}" for entry in reversed(frameworks()))
    raise CaptureError(f"No framework is known for {what}.", hint=f"Known: {known}.")


def parse_shapes(given: str | Mapping[str, Any] | list[Any] | None) -> Shapes | list[Shape] | None:
    """`input_shape` as a dict of tuples, or a list of them; None stays None."""
    if given is None:
        return None
    try:
        return input_config.parse(given if isinstance(given, str) else repr(_plain(given)))
    except InputError as error:
        message = error.message.replace("DataInputConfig", "The input shapes", 1)
        raise CaptureError(message, hint=error.hint) from error


def _plain(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {str(name): _plain(shape) for name, shape in given.items()}
    if isinstance(given, tuple | list):
        return [_plain(size) for size in given]
    return given if given is None else int(given)


def _named(name: str) -> Framework:
    found = next((entry for entry in frameworks() if entry.name == name.upper()), None)
    if found is None:
        names = ", ".join(entry.name for entry in frameworks())
        raise UsageError(f"There is no framework {name!r}.", hint=f"One of {names}.")
    return found


def _by_class(cls: type) -> Framework | None:
    roots = {base.__module__.partition(".")[0] for base in cls.__mro__}
    return next((entry for entry in frameworks() if roots & set(entry.roots)), None)


def _by_path(path: Path) -> Framework | None:
    if not path.exists():
        raise CaptureError(f"There is no file {path}.", hint="Check the path of the model.")
    if path.is_dir():
        is_saved_model = (path / "saved_model.pb").is_file() or (path / "saved_model.pbtxt").is_file()
        return _named("TENSORFLOW") if is_saved_model else None
    if path.name.endswith("-symbol.json"):
        return _named("MXNET")
    if path.suffix.lower() == ".txt":
        return _named("SKLEARN") if _is_text_model(path) else None
    return next((entry for entry in frameworks() if path.suffix.lower() in entry.suffixes), None)


def _is_text_model(path: Path) -> bool:
    """Whether the file begins as LightGBM's text format does."""
    with path.open("rb") as file:
        return file.read(len(_TREES)) == _TREES


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
