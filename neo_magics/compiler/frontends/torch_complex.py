"""Complex numbers inside a PyTorch program as pairs of real ones.

Neither TVM nor a compiled model has complex numbers. The program is traced once more by an interpreter that
holds the real and the imaginary part of each; what comes out is a program of real tensors alone.
"""

from __future__ import annotations

from typing import Any

from neo_magics.capture.quiet import quiet_torch
from neo_magics.capture.torch_names import node_value, user_input_nodes
from neo_magics.compiler.frontends.torch_pairs import PAIRED, Pair
from neo_magics.compiler.frontends.unsupported import unsupported


def has_complex(program: Any) -> bool:
    """Whether a value in `program` is of complex numbers."""
    return any(is_complex(node) for node in program.graph.nodes)


def is_complex(node: Any) -> bool:
    """Whether the result of `node` is of complex numbers."""
    value = node.meta.get("val")
    values = value if isinstance(value, list | tuple) else [value]
    return any(getattr(getattr(each, "dtype", None), "is_complex", False) for each in values)


def without_complex(program: Any) -> Any:
    """`program`, decomposed, with pairs of real tensors in place of complex ones.

    Its inputs keep their names and free sizes. `UnsupportedOperatorsError` for operators that have no such
    form, all at once, and for a complex result.
    """
    import torch
    from torch.export import Dim

    _check(program)
    nodes = user_input_nodes(program)
    values = [node_value(node) for node in nodes]
    examples = tuple(torch.zeros(_sizes(value), dtype=value.dtype) for value in values)
    free = tuple(
        {axis: Dim.DYNAMIC for axis, size in enumerate(value.shape) if not isinstance(size, int)}
        for value in values
    )
    module = _paired_module(program.module(check_guards=False), program.call_spec.out_spec)
    with quiet_torch(), torch.no_grad():
        found = torch.export.export(module, examples, dynamic_shapes=(free,), strict=False)
    for old, new in zip(nodes, user_input_nodes(found), strict=True):
        _rename(found, new, old.name)
    return found


def _rename(program: Any, node: Any, name: str) -> None:
    (spec,) = [each for each in program.graph_signature.input_specs if each.arg.name == node.name]
    node._rename(name)
    spec.arg.name = node.name


def _check(program: Any) -> None:
    from neo_magics.compiler.frontends.torch_program import place

    missing: dict[str, list[str]] = {}
    for node in program.graph.nodes:
        complex_ = is_complex(node) or any(is_complex(each) for each in node.all_input_nodes)
        if node.op == "call_function" and complex_ and str(node.target) not in PAIRED:
            name = str(node.target).removeprefix("aten.")
            missing.setdefault(f"{name} of complex numbers", []).append(place(node).strip(" ()"))
        if node.op == "output" and any(is_complex(each) for each in node.all_input_nodes):
            missing.setdefault("a result of complex numbers (return torch.view_as_real of it)", []).append("")
    if missing:
        raise unsupported("PyTorch", missing)


def _sizes(value: Any) -> list[int]:
    return [int(size) if isinstance(size, int) else int(size.node.hint) for size in value.shape]


def _paired_module(graph: Any, outputs: Any) -> Any:
    """A module that runs `graph`; `outputs` is the tree of what it returns."""
    import torch
    from torch.utils import _pytree as pytree

    class Paired(torch.nn.Module):  # type: ignore[misc]
        """Runs `graph` on pairs; complex weights are two real buffers."""

        def __init__(self) -> None:
            super().__init__()
            self.graph_module = graph
            nodes = [node for node in graph.graph.nodes if node.op == "get_attr"]
            targets = dict.fromkeys(str(node.target) for node in nodes)
            complex_ = [each for each in targets if is_tensor(attribute(graph, each))]
            self.pairs = {target: self._stored(index, target) for index, target in enumerate(complex_)}

        def _stored(self, index: int, target: str) -> tuple[str, str]:
            whole = torch.view_as_real(attribute(graph, target).detach().resolve_conj())
            for part, word in enumerate(("real", "imaginary")):
                self.register_buffer(f"{word}_{index}", whole[..., part].contiguous())
            owner, _dot, own = target.rpartition(".")
            delattr(attribute(graph, owner), own)
            return f"real_{index}", f"imaginary_{index}"

        def forward(self, *inputs: Any) -> Any:
            found = _interpreter(self).run(*inputs, enable_io_processing=False)
            return pytree.tree_unflatten(found, outputs)

    def is_tensor(value: Any) -> bool:
        return isinstance(value, torch.Tensor) and value.is_complex()

    return Paired()


def attribute(module: Any, target: str) -> Any:
    """What `module` has under a dotted name."""
    for part in filter(None, target.split(".")):
        module = getattr(module, part)
    return module


def _interpreter(paired: Any) -> Any:
    import torch

    class Pairs(torch.fx.Interpreter):  # type: ignore[misc]
        """Operators on pairs by `PAIRED`, all others as they are."""

        def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
            names = paired.pairs.get(str(target))
            if names is None:
                return super().get_attr(target, args, kwargs)
            return Pair(*(getattr(paired, name) for name in names))

        def run_node(self, n: Any) -> Any:
            if n.op != "call_function" or not (
                is_complex(n) or any(is_complex(each) for each in n.all_input_nodes)
            ):
                return super().run_node(n)
            args, kwargs = self.fetch_args_kwargs_from_env(n)
            return PAIRED[str(n.target)](n.target, *args, **kwargs)

    return Pairs(paired.graph_module)
