"""Keras: `.keras` and `.h5` by Keras' torch backend and torch.export, without TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.capture.files import model_file
from neo_magics.capture.inputs import SAMPLE_SIZE, like_shape
from neo_magics.capture.keras_model import (
    as_module,
    import_keras,
    load_model,
    model_inputs,
    whole_recurrent_layers,
)
from neo_magics.capture.layouts import in_model_order
from neo_magics.capture.pt2 import load_pt2
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.source_keras import output_names
from neo_magics.capture.torch_export import export_module, quiet_module
from neo_magics.capture.torch_names import program_outputs
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.pytorch import import_program, renamed
from neo_magics.compiler.frontends.shapes import by_name, check_shape, shape_text
from neo_magics.errors import InputError


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The model file in `folder`; shapes from `input_config` (NCHW or as the model has them), or its own."""
    path = model_file(folder, "KERAS")
    if path.suffix == ".pt2":
        return import_program(load_pt2(path, trust_pickle=options.trust_pickle), input_config)
    keras = import_keras()
    model, file = load_model(path, trust=options.trust_pickle)
    specs = model_inputs(model, file)
    if not specs:
        raise InputError(
            f"{path.name} does not say which inputs its model takes.",
            hint="Build the model (call it once) and save it again; or give the live model.",
        )
    shapes = _shapes(specs, input_config)
    program = _export(model, specs, shapes)
    got = [spec.name for spec in program_outputs(program)]
    by_key = got != [f"output{index}" for index in range(len(got))]
    names = got if by_key else list(output_names(file.output_names, len(got)))
    imported = renamed(import_program(program, None), [spec.name for spec in specs], names)
    return replace(imported, framework_version=f"keras {keras.__version__}")


def _shapes(specs: tuple[TensorInfo, ...], config: InputConfig | None) -> list[tuple[int | None, ...]]:
    """One shape for each input; without `config` the model's own, where only the batch may be free."""
    if config is None:
        return [_own(spec) for spec in specs]
    given = by_name(config, [spec.name for spec in specs], by_position=True)
    found = []
    for spec in specs:
        shape = in_model_order(given[spec.name], spec.shape)
        if shape is None:
            check_shape(spec.name, given[spec.name], spec.shape)
        found.append(shape or given[spec.name])
    return found


def _own(spec: TensorInfo) -> tuple[int | None, ...]:
    if any(isinstance(size, str) for size in spec.shape[1:]):
        raise InputError(
            f"The model leaves the shape of input {spec.name!r} open: {shape_text(spec.shape)}.",
            hint=f'Give DataInputConfig, as {{"{spec.name}": [1, …]}} (null for a free dimension).',
            input=spec.name,
        )
    return tuple(size if isinstance(size, int) else None for size in spec.shape)


def _export(model: Any, specs: tuple[TensorInfo, ...], shapes: list[tuple[int | None, ...]]) -> Any:
    """torch.export over positions, which are called arg0, arg1, …"""
    names = [f"arg{index}" for index in range(len(specs))]
    examples = {
        name: like_shape(shape, spec.dtype, name, SAMPLE_SIZE)
        for name, spec, shape in zip(names, specs, shapes, strict=True)
    }
    free = {name: shape for name, shape in zip(names, shapes, strict=True) if None in shape}
    with quiet_module(as_module(model)) as still, whole_recurrent_layers(model):
        return export_module(still, examples, free)
