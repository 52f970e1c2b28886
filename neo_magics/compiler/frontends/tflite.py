"""TFLite: TVM's importer with our converters where TVM has none or is wrong; channels first afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.artifact.manifest import TensorSpec
from neo_magics.capture.files import model_file
from neo_magics.capture.layouts import in_model_order
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.tflite_file import TfliteFile, read_tflite
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.relax_tools import main_tensors, shape_of
from neo_magics.compiler.frontends.shapes import by_name, check_shape, config_of
from neo_magics.compiler.frontends.tflite_importer import file_to_module
from neo_magics.compiler.frontends.tflite_resize import resized
from neo_magics.errors import CompilationError, InputError

Sizes = dict[str, tuple[int, ...]]


def import_folder(
    folder: Path,
    input_config: InputConfig | None,
    options: CompilerOptions,  # noqa: ARG001  none of them concerns TFLite
) -> ImportedModel:
    """The .tflite file in `folder`, in the sizes of `input_config` or its own."""
    path = model_file(folder, "TFLITE")
    file = read_tflite(path.read_bytes(), path.name)
    shapes = _shapes(file, input_config)
    file = _in_sizes(file, shapes, path.name)
    module = file_to_module(file)
    inputs = tuple(TensorSpec(spec.name, shapes[spec.name], spec.dtype) for spec in file.inputs)
    return ImportedModel(
        module=module,
        inputs=inputs,
        outputs=_outputs(module, file.outputs),
        framework_version=f"schema {file.version}",
        derived_input_config=config_of({spec.name: spec.shape for spec in inputs}) if inputs else "",
    )


def _shapes(file: TfliteFile, config: InputConfig | None) -> Sizes:
    """A TFLite graph holds the sizes of all its tensors: nothing stays free in it."""
    if config is None:
        return {spec.name: _least(spec) for spec in file.inputs}
    given = by_name(config, [spec.name for spec in file.inputs], by_position=True)
    found: Sizes = {}
    for spec in file.inputs:
        shape = in_model_order(given[spec.name], spec.shape)
        if shape is None:
            check_shape(spec.name, given[spec.name], spec.shape)
        sizes = shape or given[spec.name]
        known = tuple(size for size in sizes if size is not None)
        if len(known) != len(sizes):
            raise InputError(
                f"Input {spec.name!r}: a TFLite model is compiled for one size, and DataInputConfig has a "
                "free dimension.",
                hint="Give a number in its place.",
                input=spec.name,
            )
        found[spec.name] = known
    return found


def _least(spec: TensorInfo) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else 1 for size in spec.shape)


def _in_sizes(file: TfliteFile, shapes: Sizes, name: str) -> TfliteFile:
    stored = {spec.name: _least(spec) for spec in file.inputs}
    return file if shapes == stored else read_tflite(resized(file, shapes), name)


def _outputs(module: Any, named: tuple[TensorInfo, ...]) -> tuple[TensorSpec, ...]:
    _params, results = main_tensors(module)
    for spec, tensor in zip(named, results, strict=True):
        if tensor.shape is None:
            raise CompilationError(
                f"The shape of the model's output {spec.name!r} depends on values that are not known.",
                hint="Cut the model before that operator.",
            )
    pairs = zip(named, results, strict=True)
    return tuple(TensorSpec(spec.name, shape_of(tensor), str(tensor.dtype)) for spec, tensor in pairs)
