"""MXNet's two files, read without MXNet: `-symbol.json`, a graph, and `.params`, named arrays.

Formats of `.params` since MXNet 0.x: each array begins with a number that tells its version, or, in the
oldest, with the count of its dimensions.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.api.literal import parse_literal
from neo_magics.errors import InputError

Array = np.ndarray[Any, Any]
_LIST, _V1, _V2, _V3 = 0x112, 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DTYPES = ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?")
_MOST_DIMENSIONS = 32


@dataclass(frozen=True)
class Node:
    """One node of the graph. `inputs` are (node, output) pairs; `attributes` are texts."""

    operator: str
    name: str
    inputs: tuple[tuple[int, int], ...]
    attributes: Mapping[str, str]

    def value(self, key: str, default: Any = None) -> Any:
        """An attribute as Python's value; text that is no literal stays text."""
        text = self.attributes.get(key)
        if text is None or text == "None":
            return default
        try:
            return parse_literal(text)
        except ValueError:
            return text

    def flag(self, key: str, default: bool = False) -> bool:
        """An attribute that is true or false, however it was written."""
        return str(self.attributes.get(key, default)).lower() in ("true", "1")

    def sizes(self, key: str, default: tuple[int, ...] = ()) -> list[int]:
        """An attribute that is a tuple of whole numbers."""
        found = self.value(key, default)
        return [int(number) for number in (found if isinstance(found, tuple | list) else (found,))]


@dataclass(frozen=True)
class Symbol:
    """A graph: its nodes in order, and its outputs as (node, output) pairs."""

    nodes: tuple[Node, ...]
    heads: tuple[tuple[int, int], ...]
    version: str


def read_symbol(path: Path) -> Symbol:
    """The graph in a `-symbol.json`; `InputError` for what is none."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        nodes = tuple(_node(entry) for entry in body["nodes"])
        heads = tuple((int(head[0]), int(head[1]) if len(head) > 1 else 0) for head in body["heads"])
        version = body.get("attrs", {}).get("mxnet_version", [None, ""])[1]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OSError) as error:
        raise InputError(
            f"{path.name} is not a symbol of MXNet that can be read: {str(error)[:200]}.",
            hint="Save the model again with HybridBlock.export or Module.save_checkpoint.",
        ) from error
    if not heads or any(place >= len(nodes) for place, _ in heads) or _loose(nodes):
        raise InputError(f"{path.name} names nodes that it does not have.", hint="Save the model again.")
    return Symbol(nodes, heads, _dotted(version))


def read_params(path: Path) -> dict[str, Array]:
    """Name → array of a `.params`, without the prefixes "arg:" and "aux:"."""
    reader = _Reader(path)
    magic, _reserved = reader.unpack("<QQ")
    if magic != _LIST:
        raise reader.wrong("it does not begin as one")
    arrays = [reader.array() for _ in range(reader.count())]
    names = [reader.text() for _ in range(reader.count())]
    if len(names) != len(arrays):
        raise reader.wrong(f"it has {len(arrays)} arrays and {len(names)} names")
    found = {
        name.removeprefix("arg:").removeprefix("aux:"): array
        for name, array in zip(names, arrays, strict=True)
    }
    for name, array in found.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise InputError(
                f"The weights {name} in {path.name} are not finite.", hint="Train the model again."
            )
    return found


def _node(entry: Mapping[str, Any]) -> Node:
    attributes = entry.get("attrs") or entry.get("attr") or entry.get("param") or {}
    inputs = tuple((int(pair[0]), int(pair[1])) for pair in entry["inputs"])
    texts = {str(key): str(value) for key, value in attributes.items()}
    return Node(str(entry["op"]), str(entry["name"]), inputs, texts)


def _loose(nodes: tuple[Node, ...]) -> bool:
    return any(place >= index for index, node in enumerate(nodes) for place, _ in node.inputs)


def _dotted(version: Any) -> str:
    return (
        f"{version // 10000}.{version // 100 % 100}.{version % 100}"
        if isinstance(version, int)
        else "unknown"
    )


class _Reader:
    def __init__(self, path: Path) -> None:
        self._name, self._content, self._at = path.name, path.read_bytes(), 0

    def wrong(self, why: str) -> InputError:
        return InputError(
            f"{self._name} is not a file of MXNet's parameters that can be read: {why}.",
            hint="It may be cut short. Save the model again.",
        )

    def take(self, count: int) -> bytes:
        part = self._content[self._at : self._at + count]
        if count < 0 or len(part) < count:
            raise self.wrong("it is cut short")
        self._at += count
        return part

    def unpack(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def count(self) -> int:
        number = int(self.unpack("<Q")[0])
        if number > len(self._content):
            raise self.wrong("it is damaged")
        return number

    def text(self) -> str:
        return self.take(self.count()).decode("utf-8", "replace")

    def array(self) -> Array:
        (first,) = self.unpack("<I")
        if first in (_V2, _V3):
            if self.unpack("<i")[0] != 0:
                raise self.wrong("it has sparse arrays, which are not supported")
            shape = self._shape("<i" if first == _V3 else "<I", "<q")
        elif first == _V1:
            shape = self._shape("<I", "<q")
        else:
            shape = self._sizes(first, "<I")
        if not shape and first != _V3:
            return np.zeros(0, np.float32)
        self.unpack("<ii")  # the device that it was on
        (kind,) = self.unpack("<i")
        if not 0 <= kind < len(_DTYPES):
            raise self.wrong(f"it has arrays of an unknown type ({kind})")
        dtype = np.dtype(_DTYPES[kind])
        count = int(np.prod(shape, dtype=object))
        return np.frombuffer(self.take(count * dtype.itemsize), dtype).reshape(shape)

    def _shape(self, rank: str, size: str) -> tuple[int, ...]:
        return self._sizes(self.unpack(rank)[0], size)

    def _sizes(self, rank: int, form: str) -> tuple[int, ...]:
        if not 0 <= rank <= _MOST_DIMENSIONS:
            raise self.wrong("it is damaged")
        sizes = tuple(int(self.unpack(form)[0]) for _ in range(rank))
        if any(size < 0 for size in sizes):
            raise self.wrong("it is damaged")
        return sizes
