"""Workloads by their keys: what the parent names, the child makes again."""

from __future__ import annotations

import json
from typing import Any

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Convolution
from neo_magics.compiler.kernels.matmul_candidates import Product

_KINDS: dict[str, Any] = {kind.operator: kind for kind in (Convolution, Product)}


def read(key: str) -> Any:
    """The workload of a key that `choose.key` made."""
    body = json.loads(key)
    kind = _KINDS[body.pop("operator")]
    values = {name: _value(name, value) for name, value in body.items()}
    return kind(**values)


def _value(name: str, value: Any) -> Any:
    if name == "window":
        return Window(**{part: tuple(numbers) for part, numbers in value.items()})
    return tuple(value) if isinstance(value, list) else value
