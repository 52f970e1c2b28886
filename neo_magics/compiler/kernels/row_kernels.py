"""What kernels over rows share: their attributes, and walks over a row in vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from neo_magics.compiler.kernels import OPAQUE

ATTRIBUTES = {"tirx.noalias": True, "op_pattern": OPAQUE, "tirx.is_scheduled": True}


def each_vector(width: Any, lanes: int, do: Callable[[Any, Any], None]) -> None:
    """do(place, lane) for a row, in vectors; the rest is one shorter vector, or single elements."""
    known = isinstance(width, int)
    whole = width // lanes if known else tirx.floordiv(width, lanes)
    if not known or whole:
        with T.serial(0, whole) as part, T.vectorized(0, lanes) as v:
            do(part * lanes + v, v)
    if not known:
        with T.serial(0, tirx.floormod(width, lanes)) as rest:
            do(whole * lanes + rest, rest)
    elif width % lanes:
        with T.vectorized(0, width % lanes) as v:
            do(whole * lanes + v, v)
