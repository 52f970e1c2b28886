"""A node of MXNet's graph at work, and what the families of operators share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neo_magics.capture.mxnet_file import Node
from neo_magics.capture.onnx_build import GraphMaker

DTYPES = {
    "float32": 1,
    "float64": 11,
    "float16": 10,
    "uint8": 2,
    "int8": 3,
    "int32": 6,
    "int64": 7,
    "bool": 9,
}


@dataclass(frozen=True)
class Layer:
    """A node at work: its inputs by name, and by value where they are parameters."""

    maker: GraphMaker
    node: Node
    inputs: list[str]
    arrays: list[np.ndarray[Any, Any] | None]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        return str(self.maker.add(operator, *inputs, **attributes))

    def whole(self, *numbers: int) -> str:
        """Whole numbers as a constant of one dimension."""
        return self.maker.constant(np.array(numbers, np.int64))

    def real(self, number: float) -> str:
        return self.maker.constant(np.float32(number))

    def axis(self, default: int) -> int:
        found = self.node.value("axis", default)
        return int(found[0] if isinstance(found, tuple | list) else found)


Converter = Callable[[Layer], "str | Sequence[str]"]
Check = Callable[[Node], str]  # what of a node's options is not known, "" for nothing


def kinds(key: str, default: str, known: Sequence[str]) -> Check:
    """A check that the option `key` is one of `known`."""

    def check(node: Node) -> str:
        kind = str(node.value(key, default))
        return "" if kind in known else f"{key}={kind}"

    return check


def unset(*keys: str) -> Check:
    """A check that none of these options is in effect."""

    def check(node: Node) -> str:
        found = [key for key in keys if _in_effect(node.value(key))]
        return ", ".join(f"{key}={node.value(key)}" for key in found)

    return check


def several(*checks: Check) -> Check:
    """All that these checks find."""
    return lambda node: ", ".join(filter(None, (check(node) for check in checks)))


def _in_effect(value: Any) -> bool:
    numbers = value if isinstance(value, tuple | list) else (value,)
    return any(number not in (None, 0, False, "False", "None") for number in numbers)
