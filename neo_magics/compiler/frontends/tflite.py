"""TFLite: TVM's importer with our converters where TVM has none or is wrong; channels first afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig, Shape
from neo_magics.artifact.manifest import TensorSpec
from neo_magics.capture.files import model_file
from neo_magics.capture.layouts import in_model_order
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.tflite_file import TfliteFile, read_tflite
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.relax_tools import main_tensors, shape_of
from neo_magics.compiler.frontends.shapes import by_name, check_shape, config_of
from neo_magics.compiler.frontends.tflite_free import NAME, ROWS, free_rows, with_free_rows
from neo_magics.compiler.frontends.tflite_importer import file_to_module
from neo_magics.compiler.frontends.tflite_resize import resized
from neo_magics.errors import CompilationError


def import_folder(
    folder: Path,
    input_config: InputConfig | None,
    options: CompilerOptions,  # noqa: ARG001  none of them concerns TFLite
) -> ImportedModel:
    """The .tflite file in `folder`, in the sizes of `input_config` or its own."""
    path = model_file(folder, "TFLITE")
    file = read_tflite(path.read_bytes(), path.name)
    shapes = _shapes(file, input_config)
    free = free_rows(shapes)
    module = _with_free_rows(file, shapes, free, path.name) if free else _of_sizes(file, shapes, path.name)
    named = {name: _named(shape) for name, shape in shapes.items()}
    inputs = tuple(TensorSpec(spec.name, named[spec.name], spec.dtype) for spec in file.inputs)
    return ImportedModel(
        module=module,
        inputs=inputs,
        outputs=_outputs(module, file.outputs),
        framework_version=f"schema {file.version}",
        derived_input_config=config_of(named) if inputs else "",
    )


def _shapes(file: TfliteFile, config: InputConfig | None) -> dict[str, Shape]:
    """The inputs' sizes as given, None for a free one, or the file's own."""
    if config is None:
        return {spec.name: _least(spec) for spec in file.inputs}
    given = by_name(config, [spec.name for spec in file.inputs], by_position=True)
    found: dict[str, Shape] = {}
    for spec in file.inputs:
        shape = in_model_order(given[spec.name], spec.shape)
        if shape is None:
            check_shape(spec.name, given[spec.name], spec.shape)
        found[spec.name] = shape or given[spec.name]
    return found


def _least(spec: TensorInfo) -> tuple[int, ...]:
    return tuple(size if isinstance(size, int) else 1 for size in spec.shape)


def _named(shape: Shape) -> tuple[int | str, ...]:
    return tuple(NAME if size is None else size for size in shape)


def _with_free_rows(file: TfliteFile, shapes: Mapping[str, Shape], free: Sequence[str], name: str) -> Any:
    sized = [{key: _with_rows(shape, rows) for key, shape in shapes.items()} for rows in ROWS]
    return with_free_rows([_of_sizes(file, sizes, name) for sizes in sized], free)


def _with_rows(shape: Shape, rows: int) -> tuple[int, ...]:
    return tuple(rows if size is None else size for size in shape)


def _of_sizes(file: TfliteFile, shapes: Mapping[str, Shape], name: str) -> Any:
    """The module for inputs of these sizes, of which none is free."""
    sizes = {key: tuple(size for size in shape if size is not None) for key, shape in shapes.items()}
    stored = {spec.name: _least(spec) for spec in file.inputs}
    return file_to_module(file if sizes == stored else read_tflite(resized(file, sizes), name))


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
