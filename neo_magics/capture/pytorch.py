"""PyTorch: modules, exported programs, TorchScript, and files of these, as a model archive."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from neo_magics.api.input_config import render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import SAMPLE_SIZE, Arrays, bind_inputs, like_shape
from neo_magics.capture.pt2 import load_pt2, save_pt2
from neo_magics.capture.quiet import quiet_torch
from neo_magics.capture.request import CaptureRequest, Shapes, TensorInfo
from neo_magics.capture.torch_export import Signature, as_tensor, export_module, quiet_module, unwrapped
from neo_magics.capture.torch_names import dtype_name, name_outputs, program_inputs, program_outputs
from neo_magics.capture.torch_trees import flattened
from neo_magics.capture.torchscript import (
    TorchFile,
    load_script,
    save_script,
    torch_file_kind,
    untrusted_pickle,
)
from neo_magics.errors import CaptureError, InputError


def capture_model(model: Any, request: CaptureRequest) -> ModelArchive:
    """A `ModelArchive` of framework PYTORCH.

    `model` is a torch.nn.Module (captured in evaluation mode; the user's own object keeps its mode and
    device), an ExportedProgram, a ScriptModule, or a path to .pt2, .pt or .pth.
    """
    import torch

    if isinstance(model, str | Path):
        model = _read(Path(model), request.trust_pickle)
    if isinstance(model, torch.export.ExportedProgram):
        return _from_program(model, request)
    if isinstance(model, torch.jit.ScriptModule):
        return _from_script(model, request)
    if isinstance(model, torch.nn.Module):
        return _from_module(unwrapped(model), request)
    raise CaptureError(
        f"A {type(model).__name__} of PyTorch is not a model.",
        hint="Give a torch.nn.Module, an ExportedProgram, a ScriptModule, or a path to .pt2, .pt or .pth.",
    )


def _read(path: Path, trust_pickle: bool) -> Any:
    kind = torch_file_kind(path)
    if kind is TorchFile.EXPORTED:
        return load_pt2(path, trust_pickle=trust_pickle)
    if kind is TorchFile.SCRIPT:
        return load_script(path)
    if kind is TorchFile.UNKNOWN:
        raise InputError(
            f"{path.name} is not a PyTorch file, or it is cut short.",
            hint="Save the model with torch.export.save (.pt2) or torch.jit.save (.pth).",
        )
    if not trust_pickle:
        raise untrusted_pickle(path)
    return unpickle(path)


def unpickle(path: Path) -> Any:
    """The torch.nn.Module that torch.save wrote to `path`. This runs the code in the file."""
    import torch

    model = torch.load(path, map_location="cpu", weights_only=False)
    if not isinstance(model, torch.nn.Module):
        raise CaptureError(
            f"{path.name} holds a {type(model).__name__}, not a model: the code of its layers is not in it.",
            hint="Load it into your module with load_state_dict, then give the module.",
        )
    return model


def _from_module(module: Any, request: CaptureRequest) -> ModelArchive:
    module, request = _of_tensors(module, request)
    signature = Signature.of(module)
    examples = _examples(module, signature.names, signature.required, request)
    with quiet_module(module) as still:
        if request.portable:
            return _portable(still, signature, examples, request)
        program = export_module(still, _traced(examples, request, signature), _free(request, signature))
    return _program_archive(program, _kept(examples, request, program_inputs(program)))


def _of_tensors(module: Any, request: CaptureRequest) -> tuple[Any, CaptureRequest]:
    """The module and its example inputs, each of which is a tensor."""
    if request.inputs is None:
        return module, request
    module, inputs = flattened(module, Signature.of(module).names, request.inputs)
    return module, replace(request, inputs=inputs)


def export_eager(module: Any, request: CaptureRequest) -> Any:
    """The ExportedProgram of an eager module with the shapes (and examples) of `request`."""
    module, request = _of_tensors(unwrapped(module), request)
    signature = Signature.of(module)
    examples = _examples(module, signature.names, signature.required, request)
    with quiet_module(module) as still:
        return export_module(still, _traced(examples, request, signature), _free(request, signature))


def _from_program(program: Any, request: CaptureRequest) -> ModelArchive:
    specs = program_inputs(program)
    given = request.inputs if request.inputs is not None else _own_examples(program, specs)
    examples = bind_inputs(given, [spec.name for spec in specs]) if given is not None else {}
    for spec in specs:
        _check_against(spec, examples, request)
    if request.portable:
        names = tuple(spec.name for spec in specs)
        complete = examples or _generated(specs)
        return _portable(program.module(), Signature(names, names), complete, request)
    return _program_archive(_own_copy(program), examples)


def _from_script(script: Any, request: CaptureRequest) -> ModelArchive:
    signature = Signature.of_script(script)
    examples = _examples(script, signature.names, signature.required, request)
    with quiet_module(script) as still:
        return _script_archive(still, examples, request)


def _examples(
    module: Any, names: tuple[str, ...], required: tuple[str, ...], request: CaptureRequest
) -> Arrays:
    """The given examples, or generated ones from the given shapes."""
    if request.inputs is not None:
        return bind_inputs(request.inputs, names, required)
    shapes = request.shapes(names)
    missing = [name for name in required if name not in shapes]
    if missing or not shapes:
        listed = ", ".join(repr(name) for name in missing or names)
        raise CaptureError(
            f"The shape of the model's input {listed} is not known.",
            hint=f"Give example inputs (--input x), or shapes (--input-shape '{{\"{names[0]}\": [1, …]}}').",
        )
    dtype = _float_dtype(module)
    return {name: like_shape(shapes[name], dtype, name, SAMPLE_SIZE) for name in names if name in shapes}


def _float_dtype(module: Any) -> str:
    """The dtype of the module's first floating-point weight; float32 without weights."""
    found = next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), None)
    name = dtype_name(found) if found is not None else "float32"
    return name if name in ("float16", "float32", "float64") else "float32"


def _free(request: CaptureRequest, signature: Signature) -> Shapes:
    return {n: s for n, s in request.shapes(signature.names).items() if None in s}


def _traced(examples: Arrays, request: CaptureRequest, signature: Signature) -> Arrays:
    """The examples with free dimensions of size 0 or 1 widened, since export takes those as fixed."""
    import numpy as np

    free, traced = _free(request, signature), {}
    for name, array in examples.items():
        shape = free.get(name, ())
        if shape and len(shape) != array.ndim:
            raise CaptureError(
                f"Input {name!r}: the shape {list(shape)} has {len(shape)} dimensions, "
                f"the example has {array.ndim}.",
                hint="Give an example of the shape that you name.",
            )
        widths = [max(n, SAMPLE_SIZE) if s is None else n for s, n in zip(shape, array.shape, strict=False)]
        traced[name] = np.resize(array, widths) if shape and widths != list(array.shape) else array
    return traced


def _kept(examples: Arrays, request: CaptureRequest, specs: tuple[TensorInfo, ...]) -> Arrays:
    """The user's own examples under the program's names; generated ones are not kept."""
    used = {spec.name: examples[spec.name] for spec in specs if spec.name in examples}
    if not used and len(examples) == len(specs):  # the program has its own names for those of *args
        used = dict(zip([spec.name for spec in specs], examples.values(), strict=True))
    return used if request.inputs is not None else {}


def _own_examples(program: Any, specs: tuple[TensorInfo, ...]) -> Any:
    if program.example_inputs is None:
        return None
    import torch
    from torch.utils import _pytree as pytree

    leaves = [leaf for leaf in pytree.tree_leaves(program.example_inputs) if torch.is_tensor(leaf)]
    return tuple(leaves) if len(leaves) == len(specs) else None


def _generated(specs: tuple[TensorInfo, ...]) -> Arrays:
    def shape(spec: TensorInfo) -> tuple[int | None, ...]:
        return tuple(size if isinstance(size, int) else None for size in spec.shape)

    return {spec.name: like_shape(shape(spec), spec.dtype, spec.name, SAMPLE_SIZE) for spec in specs}


def _check_against(spec: TensorInfo, examples: Arrays, request: CaptureRequest) -> None:
    """An exported program has its shapes already: what is given must agree with them."""
    shape = request.shapes([spec.name]).get(spec.name) if isinstance(request.input_shape, dict) else None
    given = [tuple(examples[spec.name].shape)] if spec.name in examples else []
    for sizes in given + ([shape] if shape else []):
        if not _fits(sizes, spec.shape):
            raise CaptureError(
                f"Input {spec.name!r}: the exported program takes {list(spec.shape)}, got {list(sizes)}.",
                hint="Export the program with the shapes that you need (dynamic_shapes for free ones).",
            )


def _fits(given: tuple[int | None, ...], expected: tuple[int | str, ...]) -> bool:
    pairs = list(zip(given, expected, strict=False))
    return len(given) == len(expected) and all(isinstance(e, str) or g == e for g, e in pairs)


def _own_copy(program: Any) -> Any:
    """A copy on the CPU, so that saving leaves the user's program as it is."""
    import torch

    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    buffer.seek(0)
    copy = torch.export.load(buffer)
    devices = {t.device.type for t in copy.state_dict.values()}
    if devices - {"cpu"}:
        from torch.export.passes import move_to_device_pass

        copy = move_to_device_pass(copy, "cpu")
    return copy


def _program_archive(program: Any, examples: Arrays) -> ModelArchive:
    inputs, outputs = program_inputs(program), program_outputs(program)
    shapes = {i.name: tuple(s if isinstance(s, int) else None for s in i.shape) for i in inputs}
    return ModelArchive(
        framework="PYTORCH",
        framework_version=torch_version(),
        data_input_config=render(shapes),
        files={"model.pt2": save_pt2(program)},
        inputs=examples,
        input_names=tuple(i.name for i in inputs),
        output_names=tuple(o.name for o in outputs),
        input_dtypes={i.name: i.dtype for i in inputs},
    )


def _portable(module: Any, signature: Signature, examples: Arrays, request: CaptureRequest) -> ModelArchive:
    """TorchScript, which SageMaker takes in place of .pt2."""
    import torch

    tensors = signature.tensors(examples)
    try:
        with torch.no_grad(), quiet_torch():
            script = torch.jit.trace(module, tensors, check_trace=False, strict=False)
    except Exception as error:
        raise CaptureError(
            f"torch.jit.trace cannot trace {type(module).__name__}: {str(error).strip()[:300]}",
            hint="SageMaker takes TorchScript only. Give a module whose forward takes tensors by position.",
        ) from error
    return _script_archive(script, examples, request)


def _script_archive(script: Any, examples: Arrays, request: CaptureRequest) -> ModelArchive:
    import torch

    shapes: Shapes = {**{n: tuple(a.shape) for n, a in examples.items()}}
    free = [n for n, s in request.shapes(tuple(shapes)).items() if None in s]
    if free and request.inputs is None:
        raise CaptureError(
            f"Input {free[0]!r} has a free dimension, which TorchScript models cannot keep.",
            hint="Give the size, or give a torch.nn.Module or ExportedProgram with the local backend.",
        )
    with torch.no_grad():
        outputs = name_outputs(script(*(as_tensor(a) for a in examples.values())))
    return ModelArchive(
        framework="PYTORCH",
        framework_version=torch_version(),
        data_input_config=render(shapes),
        files={"model.pth": save_script(script)},
        inputs=examples if request.inputs is not None else {},
        input_names=tuple(shapes),
        output_names=tuple(outputs),
        input_dtypes={name: str(array.dtype) for name, array in examples.items()},
    )


def torch_version() -> str:
    """torch's version without its build ("2.13.0"), as FrameworkVersion takes it."""
    import torch

    return re.split(r"[+]", str(torch.__version__))[0]
