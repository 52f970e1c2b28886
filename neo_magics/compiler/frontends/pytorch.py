"""PyTorch: a .pt2 or TorchScript file as Relax, through torch.export and TVM's importer."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.artifact.manifest import TensorSpec
from neo_magics.capture.files import model_file
from neo_magics.capture.pt2 import load_pt2
from neo_magics.capture.pytorch import torch_version
from neo_magics.capture.torch_names import free_dimensions, program_inputs, program_outputs
from neo_magics.capture.torchscript import TorchFile, load_script, torch_file_kind, untrusted_pickle
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.relax_tools import bind_sizes
from neo_magics.compiler.frontends.shapes import by_name, check_shape, config_of
from neo_magics.compiler.frontends.torch_program import program_to_module
from neo_magics.compiler.frontends.torchscript import Recorded, record_script
from neo_magics.errors import InputError


def import_folder(folder: Path, input_config: InputConfig | None, options: CompilerOptions) -> ImportedModel:
    """The .pt2, .pth or .pt file in `folder`. A .pt2 carries its shapes; TorchScript needs `input_config`."""
    path = model_file(folder, "PYTORCH")
    kind = torch_file_kind(path)
    if kind is TorchFile.EXPORTED:
        return import_program(load_pt2(path, trust_pickle=options.trust_pickle), input_config)
    if kind is TorchFile.SCRIPT:
        recorded = record_script(load_script(path), folder, input_config, options)
        return _renamed(import_program(recorded.program, None), recorded)
    if kind is TorchFile.PICKLE:
        raise untrusted_pickle(path)
    raise InputError(
        f"{path.name} is not a PyTorch file, or it is cut short.",
        hint="Save the model with torch.export.save (.pt2) or torch.jit.save (.pth).",
    )


def import_program(program: Any, input_config: InputConfig | None) -> ImportedModel:
    """An ExportedProgram as Relax; sizes in `input_config` fix free dimensions of the program."""
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
        outputs=tuple(TensorSpec(o.name, _with(o.shape, sizes), o.dtype) for o in outputs),
        framework_version=torch_version(),
        derived_input_config=config_of({i.name: i.shape for i in fixed_inputs}),
    )


def _renamed(model: ImportedModel, recorded: Recorded) -> ImportedModel:
    """`model` with the names of a recorded TorchScript module."""
    inputs = zip(model.inputs, recorded.input_names, strict=True)
    outputs = zip(model.outputs, recorded.output_names, strict=True)
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


def _with(shape: tuple[int | str, ...], sizes: dict[str, int]) -> tuple[int | str, ...]:
    """`shape` with the free dimensions of `sizes` filled in, in products and sums too."""
    return tuple(size if isinstance(size, int) else _evaluate(size, sizes) for size in shape)


def _evaluate(expression: str, sizes: dict[str, int]) -> int | str:
    if not sizes:
        return expression
    text = re.sub(r"[A-Za-z_]\w*", lambda m: str(sizes.get(m[0], m[0])), expression)
    if not re.fullmatch(r"[\d\s+*()/-]+", text):
        return text
    import sympy

    return int(sympy.sympify(text))
