"""Arguments of modules that are dicts, lists or tuples of tensors: each tensor becomes an input."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from neo_magics.capture.inputs import by_argument
from neo_magics.capture.torch_names import key_name
from neo_magics.errors import CaptureError


def flattened(module: Any, names: Sequence[str], inputs: Any) -> tuple[Any, Any]:
    """(module, inputs): as they are, or a module of the leaves of what `forward` takes, and these by name.

    A leaf is called after its argument and the keys on the way to it: {"x": tensor} for an argument `batch`
    is `batch_x`. Raises `CaptureError` where two leaves would have one name.
    """
    arguments = by_argument(inputs, names)
    if not set(arguments) <= set(names) or not any(map(_is_tree, arguments.values())):
        return module, inputs
    from torch.utils import _pytree as pytree

    leaves, structure = pytree.tree_flatten_with_path(arguments)
    called = [re.sub(r"\W", "_", key_name(path)) for path, _leaf in leaves]
    if len(set(called)) < len(called) or not all(name.isidentifier() for name in called):
        raise CaptureError(
            f"The tensors in the model's arguments have no names of their own among {', '.join(called)}.",
            hint="Wrap the module in one whose forward takes each tensor as an argument.",
        )
    values = dict(zip(called, (leaf for _path, leaf in leaves), strict=True))
    return _of_leaves(module, called, structure), values


def _is_tree(value: Any) -> bool:
    """Whether tensors or arrays lie in the value: a dict, a list or a tuple."""
    if not isinstance(value, dict | list | tuple):
        return False
    from torch.utils import _pytree as pytree

    return any(hasattr(leaf, "detach") or hasattr(leaf, "__array__") for leaf in pytree.tree_leaves(value))


def _of_leaves(module: Any, names: Sequence[str], structure: Any) -> Any:
    """`module` behind a `forward` that takes the leaves by these names."""
    import torch
    from torch.utils import _pytree as pytree

    class OfLeaves(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, *values: Any, **named: Any) -> Any:
            leaves = [*values, *(named[name] for name in names[len(values) :])]
            return self.module(**pytree.tree_unflatten(leaves, structure))

    OfLeaves.__name__ = type(module).__name__
    OfLeaves.forward.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY),
            *(inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names),
        ]
    )
    return OfLeaves()
