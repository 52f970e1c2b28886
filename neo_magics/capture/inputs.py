"""Example inputs in any form that users have them, as NumPy arrays by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neo_magics.api.input_config import Shape
from neo_magics.errors import CaptureError

Arrays = dict[str, np.ndarray[Any, Any]]


def bind_inputs(inputs: Any, names: Sequence[str], required: Sequence[str] = ()) -> Arrays:
    """`inputs` by name: a tensor or array, a tuple or list of them in order, or a mapping by name.

    `names` are the model's inputs in order; those of `required` must be given. Raises `CaptureError` for
    unknown or missing names and for what is not an array.
    """
    given = dict(inputs) if isinstance(inputs, Mapping) else _by_position(inputs, names)
    unknown = [str(name) for name in given if name not in names]
    if unknown:
        raise CaptureError(_unknown(unknown[0], names), hint="Use the names of the model's inputs.")
    missing = [name for name in required if name not in given]
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        raise CaptureError(
            f"No example is given for the model's input {listed}.",
            hint="Give a tuple with one example for each input, or a dict by name.",
        )
    return {name: to_numpy(given[name], name) for name in names if name in given}


def by_argument(inputs: Any, names: Sequence[str]) -> dict[str, Any]:
    """What is given for each argument: in order, by name, or a dict for a model whose one argument it is."""
    if isinstance(inputs, Mapping):
        whole = len(names) == 1 and len(inputs) > 1 and names[0] not in inputs
        return {names[0]: dict(inputs)} if whole else dict(inputs)
    return _by_position(inputs, names)


def to_numpy(value: Any, name: str = "") -> np.ndarray[Any, Any]:
    """A tensor of any device, or an array, as a NumPy array on this machine (0-d stays 0-d)."""
    if hasattr(value, "detach"):  # a torch tensor, told without importing torch
        return _from_torch(value, name)
    is_number = isinstance(value, bool | int | float | np.generic)
    if not is_number and not hasattr(value, "__array__"):
        raise CaptureError(
            f"The example for input {name!r} is a {type(value).__name__}, which is not an array.",
            hint="Give a tensor or a NumPy array for each input.",
        )
    array = np.asarray(value, order="C")
    if array.dtype.kind not in "biufV":
        raise CaptureError(
            f"The example for input {name!r} has dtype {array.dtype}.", hint="Give numbers or booleans."
        )
    return array


# Of a free dimension in an example: export takes 0 and 1 as fixed, and 2 is often equal to another size.
SAMPLE_SIZE = 7


def like_shape(shape: Shape, dtype: str, name: str, free: int) -> np.ndarray[Any, Any]:
    """A generated example: normal numbers for floats, zeros else; `free` stands for a free dimension."""
    sizes = tuple(free if size is None else size for size in shape)
    if np.dtype(dtype).kind != "f":
        return np.zeros(sizes, dtype)
    seed = sum(name.encode()) + len(sizes)
    return np.random.default_rng(seed).standard_normal(sizes).astype(dtype)


def _by_position(inputs: Any, names: Sequence[str]) -> dict[str, Any]:
    values = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    if len(values) > len(names):
        listed = ", ".join(repr(name) for name in names)
        raise CaptureError(
            f"{len(values)} example inputs were given; the model takes {len(names)}: {listed}.",
            hint="Give one example for each input, in this order.",
        )
    return dict(zip(names, values, strict=False))


def _unknown(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return f"The model has no input named {name!r}.{guess} Its inputs: {', '.join(map(repr, names))}."


def _from_torch(value: Any, name: str) -> np.ndarray[Any, Any]:
    if value.device.type == "meta":
        raise CaptureError(
            f"The example for input {name!r} is on the meta device and has no values.",
            hint="Give a tensor with values, or only its shape.",
        )
    tensor = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if str(tensor.dtype) == "torch.bfloat16":
        import ml_dtypes
        import torch

        return np.asarray(tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16))
    return np.asarray(tensor.numpy())
