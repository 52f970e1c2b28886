"""The service model's constraints, walked over a request: every violation, in AWS's wording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from neo_magics.api.patterns import matches

_SHOWN = 256  # characters of an offending value that a message repeats


@dataclass(frozen=True)
class Violation:
    """One broken constraint: where (AWS's member path), the value, and what the member must do."""

    path: str
    value: Any
    constraint: str

    def __str__(self) -> str:
        shown = "null" if self.value is None else f"'{_java(self.value)}'"
        return f"Value {shown} at '{self.path}' failed to satisfy constraint: {self.constraint}"


def violations(shape: Any, value: Any, path: str = "") -> Iterator[Violation]:
    """All violations of botocore's `shape` by the wire form `value` (what JSON gives)."""
    type_name = shape.type_name
    kind = _KINDS[type_name]
    if not kind.accepts(value):
        yield Violation(path, value, f"Member must be {kind.words}")
    elif type_name == "structure":
        yield from _structure(shape, value, path)
    elif type_name == "list":
        yield from _bounds(shape, len(value), value, path, "length")
        yield from _elements(shape.member, value, path)
    else:
        yield from _scalar(shape, value, path)


def member_path(parent: str, name: str) -> str:
    """AWS's path of a member: its name with a small first letter, below its parent's."""
    small = name[:1].lower() + name[1:]
    return f"{parent}.{small}" if parent else small


def _structure(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[Violation]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield Violation(member_path(path, name), None, "Member must not be null")
    for name, member in value.items():
        where = member_path(path, name)
        if name not in shape.members:
            known = ", ".join(shape.members)
            yield Violation(where, member, f"Member is not one of {shape.name}'s: [{known}]")
        elif member is not None:
            yield from violations(shape.members[name], member, where)


def _elements(shape: Any, values: list[Any], path: str) -> Iterator[Violation]:
    """Elements that are structures have paths of their own; scalars are told by their list, as AWS does."""
    if shape.type_name == "structure":
        for index, value in enumerate(values, start=1):
            yield from violations(shape, value, f"{path}.{index}.member")
        return
    if any(True for value in values for _ in violations(shape, value, path)):
        rules = ", ".join(_rules(shape))
        yield Violation(path, values, f"Member must satisfy constraint: [{rules}]")


def _scalar(shape: Any, value: Any, path: str) -> Iterator[Violation]:
    if shape.type_name == "string":
        yield from _bounds(shape, len(value), value, path, "length")
        yield from _string(shape, value, path)
    elif shape.type_name in _NUMBERS:
        yield from _bounds(shape, value, value, path, "value")


def _string(shape: Any, value: str, path: str) -> Iterator[Violation]:
    if shape.enum and value not in shape.enum:
        yield Violation(path, value, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not matches(pattern, value):
        yield Violation(path, value, f"Member must satisfy regular expression pattern: {pattern}")


def _bounds(shape: Any, size: float, value: Any, path: str, what: str) -> Iterator[Violation]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if high is not None and size > high:
        yield Violation(path, value, f"Member must have {what} less than or equal to {high}")
    if low is not None and size < low:
        yield Violation(path, value, f"Member must have {what} greater than or equal to {low}")


def _rules(shape: Any) -> Iterator[str]:
    """What an element of a list must satisfy, all of it, as AWS prints it."""
    metadata = shape.metadata
    what = "value" if shape.type_name in _NUMBERS else "length"
    if "max" in metadata:
        yield f"Member must have {what} less than or equal to {metadata['max']}"
    if "min" in metadata:
        yield f"Member must have {what} greater than or equal to {metadata['min']}"
    if "pattern" in metadata:
        yield f"Member must satisfy regular expression pattern: {metadata['pattern']}"
    if "enum" in metadata:
        yield f"Member must satisfy enum value set: [{', '.join(metadata['enum'])}]"
    yield "Member must not be null"


def _java(value: Any) -> str:
    """`value` as AWS's messages print it: lists bare, truth values small; long ones are cut."""
    if isinstance(value, list):
        text = "[" + ", ".join(map(_java, value)) + "]"
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{name}={_java(member)}" for name, member in value.items()) + "}"
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


@dataclass(frozen=True)
class _Kind:
    """What a type of the model takes from JSON, and how the message calls it."""

    words: str
    accepts: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_whole(value) and -(2**31) <= value < 2**31


def _is_long(value: Any) -> bool:
    return _is_whole(value) and -(2**63) <= value < 2**63


def _is_time(value: Any) -> bool:
    # Seconds since the epoch, up to the year 9999, which is what datetime holds.
    return isinstance(value, datetime) or (_is_number(value) and 0 <= value <= 253_402_300_799)


_NUMBERS = frozenset({"integer", "long", "float", "double"})
_KINDS: Mapping[str, _Kind] = {
    "structure": _Kind("a structure", lambda value: isinstance(value, Mapping)),
    "list": _Kind("a list", lambda value: isinstance(value, list)),
    "map": _Kind("a map", lambda value: isinstance(value, Mapping)),
    "string": _Kind("a string", lambda value: isinstance(value, str)),
    "boolean": _Kind("a boolean", lambda value: isinstance(value, bool)),
    "integer": _Kind("an integer of 32 bits", _is_integer),
    "long": _Kind("an integer of 64 bits", _is_long),
    "float": _Kind("a number", _is_number),
    "double": _Kind("a number", _is_number),
    "timestamp": _Kind("a time in seconds since the epoch", _is_time),
}
