"""TensorFlow: tf2onnx in a process of its own, then the ONNX route."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig, Shape
from neo_magics.capture.files import model_file
from neo_magics.capture.layouts import in_model_order
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.tensorflow_process import convert, tensor_infos
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.proto import import_proto
from neo_magics.compiler.frontends.shapes import by_name, check_shape


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The SavedModel or frozen graph in `folder`; shapes in NHWC from `input_config`, or its own."""
    model_file(folder, "TENSORFLOW")
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "converted.onnx"
        said = convert(folder, out, trust=options.trust_pickle)
        proto = onnx.load(str(out))
    specs = tensor_infos(said)
    for value, spec in zip(proto.graph.input, specs, strict=True):
        for dim, size in zip(value.type.tensor_type.shape.dim, spec.shape, strict=True):
            if isinstance(size, str):
                dim.dim_param = size
    shapes = _shapes(specs, input_config)
    return import_proto(proto, shapes, options, "TENSORFLOW", f"tensorflow {said['version']}")


def _shapes(specs: tuple[TensorInfo, ...], config: InputConfig | None) -> dict[str, Shape] | None:
    """Without `config` the model's own, where only the batch may be free; None where more is."""
    if config is None:
        if any(isinstance(size, str) for spec in specs for size in spec.shape[1:]):
            return None
        return {spec.name: tuple(s if isinstance(s, int) else None for s in spec.shape) for spec in specs}
    given = by_name(config, [spec.name for spec in specs], by_position=True)
    found: dict[str, Shape] = {}
    for spec in specs:
        shape = in_model_order(given[spec.name], spec.shape)
        if shape is None:
            check_shape(spec.name, given[spec.name], spec.shape)
        found[spec.name] = shape or given[spec.name]
    return found
