"""DataInputConfig: the names and shapes of a model's inputs, between the API's text and Python.

A shape is a tuple of positive integers; None stands for a free dimension, written `null` or -1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from neo_magics.api.literal import parse_literal
from neo_magics.errors import InputError

Shape = tuple[int | None, ...]
InputConfig = dict[str, Shape] | list[Shape]

_LARGEST = 2**31 - 1
_HINT = 'Write names and shapes, e.g. {"input0": [1, 3, 224, 224]}; null is a free dimension.'


def parse(text: str) -> InputConfig:
    """The inputs of a DataInputConfig text.

    A dict keeps the order of its names; a list (PyTorch) gives shapes by position. Names may also come as
    a list of one-name dicts. Raises InputError that names the input and says what is wrong.
    """
    try:
        value = parse_literal(text)
    except ValueError as error:
        raise InputError(f"DataInputConfig cannot be read: {error}.", hint=_HINT) from error
    if isinstance(value, Mapping):
        return _named(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _listed(value)
    raise InputError(f"DataInputConfig is {_kind(value)}, not a dictionary or a list of shapes.", hint=_HINT)


def render(config: Mapping[str, Shape] | Sequence[Shape]) -> str:
    """The DataInputConfig text of `config`: compact JSON that `parse` reads back."""
    if isinstance(config, Mapping):
        return json.dumps({name: list(shape) for name, shape in config.items()}, separators=(",", ":"))
    return json.dumps([list(shape) for shape in config], separators=(",", ":"))


def _named(value: Mapping[Any, Any]) -> dict[str, Shape]:
    if not value:
        raise InputError("DataInputConfig names no input.", hint=_HINT)
    for name in value:
        if not isinstance(name, str) or not name:
            raise InputError(f"DataInputConfig has the input name {name!r}, which is not text.", hint=_HINT)
    return {name: _shape(f"input '{name}'", shape) for name, shape in value.items()}


def _listed(value: Sequence[Any]) -> InputConfig:
    if not value:
        raise InputError("DataInputConfig lists no input.", hint=_HINT)
    if all(isinstance(item, Mapping) and "shape" not in item for item in value):
        pairs = [pair for item in value for pair in item.items()]
        if len({name for name, _ in pairs}) != len(pairs):
            raise InputError("DataInputConfig names an input twice.", hint=_HINT)
        return _named(dict(pairs))
    return [_shape(f"input {index}", shape) for index, shape in enumerate(value)]


def _shape(where: str, value: Any) -> Shape:
    if isinstance(value, Mapping):
        value = _shape_member(where, value)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InputError(f"DataInputConfig: the shape of {where} is {_kind(value)}, not a list.", hint=_HINT)
    return tuple(_dimension(where, axis, size) for axis, size in enumerate(value))


def _shape_member(where: str, value: Mapping[Any, Any]) -> Any:
    if set(value) == {"shape"}:
        return value["shape"]
    raise InputError(
        f"DataInputConfig: {where} has the members {sorted(map(str, value))}; "
        "only Core ML knows more than 'shape'.",
        hint=_HINT,
    )


def _dimension(where: str, axis: int, size: Any) -> int | None:
    if size is None or (size == -1 and not isinstance(size, bool)):
        return None
    if isinstance(size, int) and not isinstance(size, bool) and 0 < size <= _LARGEST:
        return size
    raise InputError(
        f"DataInputConfig: dimension {axis} of {where} is {size!r}, not a positive whole number or null.",
        hint=_HINT,
    )


def _kind(value: Any) -> str:
    names = {str: "text", int: "a number", float: "a number", bool: "a truth value", dict: "a dictionary"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
