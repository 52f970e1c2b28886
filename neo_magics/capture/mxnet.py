"""MXNet: the paths of `-symbol.json` and `.params`, a symbol with its arrays, a Gluon block."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from neo_magics.api.input_config import render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import Arrays, bind_inputs
from neo_magics.capture.mxnet_graph import Network, Shapes, input_shapes
from neo_magics.capture.pairs import pair_of
from neo_magics.capture.request import CaptureRequest
from neo_magics.errors import CaptureError

SUFFIXES = ("-symbol.json", ".params")


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework MXNET.

    `model` is one of the two paths or both as a tuple, a tuple (symbol, arg_params, aux_params) or
    (symbol, params), a fitted Module, or a hybridised Gluon block that has run once.
    """
    first = model[0] if isinstance(model, tuple | list) else model
    if isinstance(first, str | Path):
        return _archive(*pair_of(model, SUFFIXES, "-symbol"), request)
    with tempfile.TemporaryDirectory() as folder:
        return _archive(*_saved(model, Path(folder) / "model"), request)


def _saved(model: Any, stem: Path) -> tuple[Path, Path]:
    symbol, params = Path(f"{stem}-symbol.json"), Path(f"{stem}-0000.params")
    if isinstance(model, tuple | list):
        import mxnet

        model[0].save(str(symbol))
        merged = {name: value for part in model[1:] for name, value in dict(part or {}).items()}
        mxnet.nd.save(str(params), {f"arg:{_plain(name)}": value for name, value in merged.items()})
    elif hasattr(model, "export"):
        try:
            model.export(str(stem), epoch=0)
        except RuntimeError as error:
            raise CaptureError(
                f"This Gluon block has no graph yet: {' '.join(str(error).split())[:200]}",
                hint="Call block.hybridize() and run it once on an example, then give it.",
            ) from error
    elif hasattr(model, "save_checkpoint"):
        model.save_checkpoint(str(stem), 0)
    else:
        raise CaptureError(
            f"A {type(model).__name__} of MXNet is not a model with its weights.",
            hint="Give a hybridised Gluon block, a tuple (symbol, arg_params, aux_params), or the two paths.",
        )
    return symbol, params


def _plain(name: str) -> str:
    return name.removeprefix("arg:").removeprefix("aux:")


def _archive(symbol: Path, params: Path, request: CaptureRequest) -> ModelArchive:
    network = Network(symbol, params)
    examples: Arrays = {}
    if request.inputs is not None:
        values = request.inputs
        examples = bind_inputs(_as_numpy(values), network.inputs, network.inputs)
        examples = {name: array.astype("float32", copy=False) for name, array in examples.items()}
    shapes: Shapes = {name: tuple(array.shape) for name, array in examples.items()}
    shapes = input_shapes(network, shapes | request.shapes(network.inputs))
    network.graph(shapes)
    return ModelArchive(
        framework="MXNET",
        framework_version=network.version,
        data_input_config=render(shapes),
        files={"model-symbol.json": symbol.read_bytes(), "model-0000.params": params.read_bytes()},
        inputs=examples,
        input_names=tuple(network.inputs),
        output_names=tuple(network.outputs),
        input_dtypes=dict.fromkeys(network.inputs, "float32"),
    )


def _as_numpy(values: Any) -> Any:
    """MXNet's arrays as NumPy's, in whatever they came in."""
    if isinstance(values, dict):
        return {name: _as_numpy(value) for name, value in values.items()}
    if isinstance(values, tuple | list):
        return [_as_numpy(value) for value in values]
    return values.asnumpy() if hasattr(values, "asnumpy") else values
