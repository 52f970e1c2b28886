"""TorchScript as an ExportedProgram.

TorchScript keeps control flow and types of its own, which torch.export does not read. Running the loaded
module once on inputs of the declared shapes, and recording every tensor operator it calls (`make_fx` in
real mode), gives a plain graph with static shapes, which is what DataInputConfig describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig, Shape
from neo_magics.capture.archive import read_capture, read_example_inputs
from neo_magics.capture.inputs import like_shape
from neo_magics.capture.quiet import quiet_torch
from neo_magics.capture.torch_export import as_tensor
from neo_magics.capture.torch_names import name_outputs
from neo_magics.compiler.frontends.shapes import by_name
from neo_magics.compiler.frontends.torch_composites import decompositions
from neo_magics.errors import CompilationError, InputError


@dataclass(frozen=True)
class Recorded:
    """An ExportedProgram and what its inputs and outputs are called."""

    program: Any
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]


def record_script(
    script: Any, folder: Path, input_config: InputConfig | None, options: CompilerOptions
) -> Recorded:
    """`script` (a ScriptModule) as an ExportedProgram with inputs named as in `input_config`.

    Dtypes come from the archive's example inputs, else from CompilerOptions' dtype, else float32. Raises
    `InputError` where shapes are missing or the module does not run on them.
    """
    import torch

    names = [argument.name for argument in script.forward.schema.arguments[1:]]
    shapes = _shapes(input_config, names)
    tensors = tuple(map(as_tensor, _inputs(folder, shapes, options).values()))
    for parameter in script.parameters():
        parameter.requires_grad_(False)
    returned = _run(script, tensors, shapes)
    graph = _record(script, tensors)
    _register_constants(graph)
    with quiet_torch():
        program = torch.export.export(graph, tensors, strict=False)
    return Recorded(program, tuple(shapes), tuple(name_outputs(returned)))


def _shapes(config: InputConfig | None, names: list[str]) -> dict[str, Shape]:
    """The shapes in order under the user's names; TorchScript's inputs are known by position."""
    if config is None:
        raise InputError(
            f"A TorchScript model does not say its input shapes ({', '.join(names)}).",
            hint=f'Give DataInputConfig, for instance {{"{names[0]}": [1, 3, 224, 224]}}.',
        )
    shapes = by_name(config, names[: len(config)], by_position=True)
    if isinstance(config, dict) and set(config) != set(shapes):
        shapes = dict(config)
    free = [name for name, shape in shapes.items() if None in shape]
    if free:
        raise InputError(
            f"Input {free[0]!r} of a TorchScript model has a free dimension, which its graph cannot keep.",
            hint="Give the size in DataInputConfig, or save the model with torch.export.save (.pt2).",
            input=free[0],
        )
    return shapes


def _inputs(folder: Path, shapes: dict[str, Shape], options: CompilerOptions) -> dict[str, Any]:
    """Example inputs of the archive where their shapes are the declared ones, else generated ones."""
    examples = read_example_inputs(folder)
    dtypes = read_capture(folder).get("input_dtypes", {})
    found = {}
    for name, shape in shapes.items():
        example = examples.get(name)
        fits = example is not None and tuple(example.shape) == shape
        dtype = dtypes.get(name) or options.dtype or "float32"
        found[name] = example if fits else like_shape(shape, dtype, name, 1)
    return found


def _run(script: Any, tensors: tuple[Any, ...], shapes: dict[str, Shape]) -> Any:
    import torch

    try:
        with torch.inference_mode():
            return script(*tensors)
    except RuntimeError as error:
        reasons = [line for line in str(error).splitlines() if "Error" in line or "xpected" in line]
        reason = (reasons or [type(error).__name__])[-1].strip()[:250]
        pairs = zip(shapes, tensors, strict=True)
        given = ", ".join(f"{name}: {tensor.dtype}{list(tensor.shape)}" for name, tensor in pairs)
        raise InputError(
            f"The model does not run on inputs of these shapes ({given}): {reason}",
            hint="Correct DataInputConfig; whole-number inputs need the compiler option dtype, as int64.",
        ) from error


def _record(script: Any, tensors: tuple[Any, ...]) -> Any:
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    def flat(*inputs: Any) -> tuple[Any, ...]:
        return tuple(name_outputs(script(*inputs)).values())

    try:
        with torch.no_grad(), quiet_torch(), torch.backends.mkldnn.flags(enabled=False):
            return make_fx(
                flat, tracing_mode="real", decomposition_table=decompositions(), _allow_non_fake_inputs=True
            )(*tensors)
    except Exception as error:
        raise CompilationError(
            f"The TorchScript model cannot be recorded: {type(error).__name__}: {str(error).strip()[:250]}",
            hint="Save the model with torch.export.save (.pt2), which needs no recording.",
        ) from error


def _register_constants(graph: Any) -> None:
    """Weights that were met while recording become buffers, so that export takes them as weights."""
    import torch

    for name, value in list(vars(graph).items()):
        if isinstance(value, torch.Tensor):
            delattr(graph, name)
            graph.register_buffer(name, value.detach())
