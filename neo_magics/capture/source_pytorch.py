"""A PyTorch model in PyTorch: eager execution in inference mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.files import model_file
from neo_magics.capture.inputs import to_numpy
from neo_magics.capture.pt2 import load_pt2
from neo_magics.capture.quiet import quiet_torch
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.torch_export import as_tensor
from neo_magics.capture.torch_names import (
    name_outputs,
    node_value,
    program_inputs,
    program_outputs,
    user_input_nodes,
)
from neo_magics.capture.torchscript import TorchFile, load_script, torch_file_kind, untrusted_pickle
from neo_magics.errors import InputError

Call = Callable[[Mapping[str, Any]], dict[str, Any]]


class TorchSource:
    """`call` takes tensors by name and returns them by the names that a compiled model gives them.

    `precision` is the lowest dtype that it computes in, "" for its inputs' own.
    """

    def __init__(self, call: Call, input_specs: tuple[TensorInfo, ...], precision: str = "") -> None:
        import torch

        self._call = call
        self.precision = precision
        self.input_specs = input_specs
        self.versions = {"torch": str(torch.__version__)}

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """The outputs by name (output0, output1, … or the keys of a returned dict)."""
        import torch

        with torch.inference_mode():
            outputs = self._call({name: _tensor(array) for name, array in inputs.items()})
        return {name: to_numpy(value, name) for name, value in outputs.items()}


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> TorchSource:
    """The .pt2 or TorchScript file in `folder`."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    path = model_file(folder, "PYTORCH")
    kind = torch_file_kind(path)
    if kind is TorchFile.EXPORTED:
        program = load_pt2(path, trust_pickle=trust_pickle)
        return TorchSource(_program_call(program), program_inputs(program), _precision(program))
    if kind is TorchFile.PICKLE:
        if not trust_pickle:
            raise untrusted_pickle(path)
        from neo_magics.capture.pytorch import unpickle

        return TorchSource(_module_call(unpickle(path).eval()), ())
    if kind is TorchFile.UNKNOWN:
        raise InputError(
            f"{path.name} is not a PyTorch file, or it is cut short.",
            hint="Save the model with torch.export.save (.pt2) or torch.jit.save (.pth).",
        )
    return TorchSource(_script_call(load_script(path)), ())


def _tensor(array: np.ndarray[Any, Any]) -> Any:
    """`array` as a tensor; without a copy where torch can use its memory."""
    import torch

    usable = array.dtype.kind in "?biuf" and array.flags.writeable and array.flags.c_contiguous
    return torch.from_numpy(array) if usable else as_tensor(array)


def _program_call(program: Any) -> Call:
    """Calls the program's graph with its inputs in their places; what the export fixed stays fixed.

    Without the checks and the (un)packing of nested inputs that torch puts around a loaded program: users
    run the module that was exported, which has neither, and for small models they cost most of the time.
    """
    import torch
    from torch.fx.graph import CodeGen

    with quiet_torch():
        module = program.module(check_guards=False)
    module._forward_pre_hooks.clear()
    module.graph.set_codegen(CodeGen())
    module.recompile()
    nodes = user_input_nodes(program)
    names = [node.name if hasattr(node_value(node), "dtype") else None for node in nodes]
    fixed = [None if name else node_value(node) for name, node in zip(names, nodes, strict=True)]
    outputs = [spec.name for spec in program_outputs(program)]
    schemas = [getattr(node.target, "_schema", None) for node in program.graph.nodes]
    writes = any(schema.is_mutable for schema in schemas if schema is not None)

    def call(inputs: Mapping[str, Any]) -> dict[str, Any]:
        flat = [inputs[name] if name else value for name, value in zip(names, fixed, strict=True)]
        if writes:  # the caller's arrays stay as they are, for the next call and the comparison
            flat = [value.clone() if isinstance(value, torch.Tensor) else value for value in flat]
        return dict(zip(outputs, filter(torch.is_tensor, module(*flat)), strict=True))

    return call


def _precision(program: Any) -> str:
    """bfloat16 or float16 where a part of the program is computed in it, as under torch.autocast."""
    import torch

    graphs = [part.graph for part in program.graph_module.modules() if isinstance(part, torch.fx.GraphModule)]
    values = [node.meta.get("val") for graph in graphs for node in graph.nodes]
    found = {str(getattr(value, "dtype", "")).removeprefix("torch.") for value in values}
    return next((dtype for dtype in ("bfloat16", "float16") if dtype in found), "")


def _module_call(module: Any) -> Call:
    return lambda inputs: name_outputs(module(**inputs))


def _script_call(script: Any) -> Call:
    names = [argument.name for argument in script.forward.schema.arguments[1:]]
    writes = any(kind.endswith("_") for kind in _kinds(script.inlined_graph))

    def call(inputs: Mapping[str, Any]) -> dict[str, Any]:
        if writes:
            inputs = {name: value.clone() for name, value in inputs.items()}
        known = inputs.keys() <= set(names)
        return name_outputs(script(**inputs) if known else script(*inputs.values()))

    return call


def _kinds(block: Any) -> Iterator[str]:
    """The operators of a TorchScript graph, those in its branches and loops too."""
    for node in block.nodes():
        yield node.kind()
        for inner in node.blocks():
            yield from _kinds(inner)
