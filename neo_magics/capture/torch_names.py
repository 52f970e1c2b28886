"""What the inputs and outputs of a PyTorch model are called.

Inputs are called as `forward`'s parameters. A model that returns a dict names its outputs by its keys
(joined by dots where dicts are nested); other outputs are output0, output1, … in order.
"""

from __future__ import annotations

from typing import Any

from neo_magics.capture.request import TensorInfo
from neo_magics.errors import InputError


def name_outputs(value: Any) -> dict[str, Any]:
    """The tensors in what a model returned, by name, in order; other values in it are left out."""
    import torch
    from torch.utils import _pytree as pytree

    leaves, _spec = pytree.tree_flatten_with_path(value)
    paths = _path_names([path for path, _leaf in leaves], [torch.is_tensor(leaf) for _path, leaf in leaves])
    return {name: leaf for name, (_path, leaf) in zip(paths, leaves, strict=True) if name}


def program_outputs(program: Any) -> tuple[TensorInfo, ...]:
    """The outputs of an ExportedProgram, named as `name_outputs` names what it returns."""
    from torch.utils import _pytree as pytree

    nodes = user_output_nodes(program)
    tree = pytree.tree_unflatten(range(len(nodes)), program.call_spec.out_spec)
    leaves, _spec = pytree.tree_flatten_with_path(tree)
    values = [node_value(node) for node in nodes]
    names = _path_names([path for path, _leaf in leaves], [hasattr(value, "dtype") for value in values])
    symbols = free_dimensions(program)
    return tuple(_info(name, value, symbols) for name, value in zip(names, values, strict=True) if name)


def program_inputs(program: Any) -> tuple[TensorInfo, ...]:
    """The tensor inputs of an ExportedProgram, in order."""
    symbols = free_dimensions(program)
    found = [(node.name, node_value(node)) for node in user_input_nodes(program)]
    return tuple(_info(name, value, symbols) for name, value in found if hasattr(value, "dtype"))


def free_dimensions(program: Any) -> dict[str, str]:
    """Names for the program's symbols: "batch" for a first dimension, else as "x_dim1"."""
    names: dict[str, str] = {}
    for node in user_input_nodes(program):
        for axis, size in enumerate(getattr(node_value(node), "shape", ())):
            if not isinstance(size, int) and str(size) not in names:
                free = "batch" if axis == 0 and "batch" not in names.values() else f"{node.name}_dim{axis}"
                names[str(size)] = free
    return names


def user_input_nodes(program: Any) -> list[Any]:
    """The placeholders of the user's inputs, in order; those of constants among them."""
    user = {spec.arg.name for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"}
    return [node for node in program.graph.nodes if node.op == "placeholder" and node.name in user]


def user_output_nodes(program: Any) -> list[Any]:
    """What the graph's output node returns to the user: nodes and plain constants."""
    output = next(node for node in reversed(program.graph.nodes) if node.op == "output")
    specs = program.graph_signature.output_specs
    pairs = zip(output.args[0], specs, strict=True)
    return [node for node, spec in pairs if spec.kind.name in ("USER_OUTPUT", "LOSS_OUTPUT")]


def node_value(node: Any) -> Any:
    """The fake tensor of a graph node, or the constant itself."""
    return node.meta.get("val") if hasattr(node, "meta") else node


def dtype_name(dtype: Any) -> str:
    """NumPy's (or ml_dtypes') name of a torch dtype."""
    name = str(dtype).removeprefix("torch.")
    return {"float": "float32", "double": "float64", "long": "int64", "half": "float16"}.get(name, name)


def _info(name: str, value: Any, symbols: dict[str, str]) -> TensorInfo:
    shape = tuple(int(s) if isinstance(s, int) else symbols.get(str(s), str(s)) for s in value.shape)
    return TensorInfo(name, shape, dtype_name(value.dtype))


def _path_names(paths: list[Any], is_tensor: list[bool]) -> list[str]:
    """A name for each tensor, "" for what is none."""
    by_key = bool(paths) and all(path and hasattr(path[0], "key") for path in paths)
    names, position = [], 0
    for path, tensor in zip(paths, is_tensor, strict=True):
        names.append("" if not tensor else key_name(path) if by_key else f"output{position}")
        position += tensor
    if len({name for name in names if name}) != sum(is_tensor):
        raise InputError(
            f"Two outputs of the model have the same name among {[n for n in names if n]}.",
            hint="Return a dict with distinct keys, or a tuple.",
        )
    return names


def key_name(path: Any) -> str:
    """A path in a tree of dicts and tuples as text, as "boxes.0"."""
    return ".".join(str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path)
