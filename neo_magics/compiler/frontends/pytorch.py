"""PyTorch: a .pt2 or TorchScript file as Relax, through torch.export and TVM's importer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.artifact.manifest import TensorSpec
from neo_magics.capture.files import model_file
from neo_magics.capture.pt2 import load_pt2
from neo_magics.capture.pytorch import export_eager, torch_version, unpickle
from neo_magics.capture.request import CaptureRequest, TensorInfo
from neo_magics.capture.torch_names import free_dimensions, program_inputs, program_outputs
from neo_magics.capture.torchscript import TorchFile, load_script, torch_file_kind, untrusted_pickle
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.relax_tools import bind_sizes, main_tensors, shape_of
from neo_magics.compiler.frontends.shapes import by_name, check_shape, config_of
from neo_magics.compiler.frontends.torch_program import program_to_module, real_program
from neo_magics.compiler.frontends.torchscript import record_script
from neo_magics.errors import InputError


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The .pt2, .pth or .pt file in `folder`. A .pt2 carries its shapes; TorchScript needs `input_config`."""
    path = model_file(folder, "PYTORCH")
    kind = torch_file_kind(path)
    if kind is TorchFile.EXPORTED:
        return import_program(load_pt2(path, trust_pickle=options.trust_pickle), input_config)
    if kind is TorchFile.SCRIPT:
        recorded = record_script(load_script(path), folder, input_config, options)
        imported = import_program(recorded.program, None)
        return renamed(imported, recorded.input_names, recorded.output_names)
    if kind is TorchFile.PICKLE:
        if not options.trust_pickle:
            raise untrusted_pickle(path)
        return import_program(export_eager(unpickle(path), CaptureRequest(input_shape=input_config)), None)
    raise InputError(
        f"{path.name} is not a PyTorch file, or it is cut short.",
        hint="Save the model with torch.export.save (.pt2) or torch.jit.save (.pth).",
    )


def import_program(program: Any, input_config: InputConfig | None) -> ImportedModel:
    """An ExportedProgram as Relax; sizes in `input_config` fix free dimensions of the program."""
    program = real_program(program)
    inputs, outputs = program_inputs(program), program_outputs(program)
    symbols = free_dimensions(program)
    sizes: dict[str, int] = {}
    if input_config is not None:
        shapes = by_name(input_config, [i.name for i in inputs], by_position=True)
        for spec in inputs:
            check_shape(spec.name, shapes[spec.name], spec.shape)
            sizes.update(_fixed(spec.name, spec.shape, shapes[spec.name], sizes))
    by_symbol = {symbol: sizes[name] for symbol, name in symbols.items() if name in sizes}
    module = bind_sizes(program_to_module(program), by_symbol)
    fixed_inputs = tuple(TensorSpec(i.name, _with(i.shape, sizes), i.dtype) for i in inputs)
    return ImportedModel(
        module=module,
        inputs=fixed_inputs,
        outputs=_outputs(module, outputs, sizes),
        framework_version=torch_version(),
        derived_input_config=config_of({i.name: i.shape for i in fixed_inputs}),
    )


def renamed(model: ImportedModel, input_names: Sequence[str], output_names: Sequence[str]) -> ImportedModel:
    """`model` with the names of another framework for its inputs and outputs."""
    inputs = zip(model.inputs, input_names, strict=True)
    outputs = zip(model.outputs, output_names, strict=True)
    named = tuple(replace(spec, name=name) for spec, name in inputs)
    return replace(
        model,
        inputs=named,
        outputs=tuple(replace(spec, name=name) for spec, name in outputs),
        derived_input_config=config_of({spec.name: spec.shape for spec in named}),
    )


def _fixed(
    name: str, declared: tuple[int | str, ...], given: tuple[int | None, ...], known: dict[str, int]
) -> dict[str, int]:
    """Free dimensions of one input that `given` fixes; one dimension cannot have two sizes."""
    found: dict[str, int] = {}
    for free, size in zip(declared, given, strict=True):
        if isinstance(free, str) and size is not None:
            if {**known, **found}.get(free, size) != size:
                raise InputError(
                    f"Input {name!r}: dimension {free!r} is {size} here and {known[free]} in another input.",
                    hint="The model needs the same size in both.",
                    input=name,
                )
            found[free] = size
    return found


def _outputs(module: Any, named: tuple[TensorInfo, ...], sizes: dict[str, int]) -> tuple[TensorSpec, ...]:
    """The program's outputs; a dimension that became known with `sizes` is a number."""
    _params, results = main_tensors(module)
    pairs = zip(named, results, strict=True)
    return tuple(TensorSpec(o.name, _known(o.shape, shape_of(tensor), sizes), o.dtype) for o, tensor in pairs)


def _known(
    named: tuple[int | str, ...], computed: tuple[int | str, ...], sizes: dict[str, int]
) -> tuple[int | str, ...]:
    if not sizes:
        return named
    return tuple(c if isinstance(c, int) else n for n, c in zip(named, computed, strict=True))


def _with(shape: tuple[int | str, ...], sizes: dict[str, int]) -> tuple[int | str, ...]:
    """`shape` with the free dimensions of `sizes` filled in."""
    return tuple(size if isinstance(size, int) else sizes.get(size, size) for size in shape)
