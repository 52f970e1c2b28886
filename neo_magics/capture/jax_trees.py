"""Arguments of JAX functions that are trees of arrays: each leaf becomes an input of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neo_magics.capture.inputs import by_argument


def flattened(model: Any, names: Sequence[str], inputs: Any) -> tuple[Any, list[str], Any]:
    """(function, names of its arguments, inputs): as they are, or of the leaves of what the function takes.

    A leaf is called after its argument and the keys on the way to it: {"x": 1.0} for an argument `batch` is
    `batch.x`. Its inputs come by name then.
    """
    arguments = by_argument(inputs, names)
    if not set(arguments) <= set(names) or not any(map(_is_tree, arguments.values())):
        return model, list(names), inputs
    import jax

    order = [name for name in names if name in arguments]
    leaves, structure = jax.tree_util.tree_flatten_with_path([arguments[name] for name in order])
    named = {_name(order, path): leaf for path, leaf in leaves}

    def of_leaves(*values: Any) -> Any:
        return model(*jax.tree_util.tree_unflatten(structure, values))

    return jax.jit(of_leaves), list(named), named


def _is_tree(value: Any) -> bool:
    """Whether JAX looks into the value: a dict, a list, a registered class."""
    import jax

    plain = hasattr(value, "__array__") or hasattr(value, "detach")
    return not plain and not jax.tree_util.all_leaves([value])


def _name(arguments: Sequence[str], path: Sequence[Any]) -> str:
    """The argument's name and the keys below it, joined by dots."""
    first, *rest = path
    keys = (next(getattr(key, kind) for kind in ("key", "idx", "name") if hasattr(key, kind)) for key in rest)
    return ".".join([arguments[first.idx], *map(str, keys)])
