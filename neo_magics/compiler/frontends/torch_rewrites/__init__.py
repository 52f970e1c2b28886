"""PyTorch operators that TVM lacks or gets wrong, in terms of others: one file per family.

Each file's `rewrites()` maps operators to functions for `ExportedProgram.run_decompositions`; one that
returns NotImplemented leaves the operator as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neo_magics.compiler.frontends.torch_rewrites import (
    bags,
    distances,
    elementwise,
    equations,
    orders,
    scans,
    scatters,
    strides,
    windows,
)

_FAMILIES = (bags, distances, elementwise, equations, orders, scans, scatters, strides, windows)


def rewrites(program: Any) -> dict[Any, Callable[..., Any]]:
    """Operator → function for the operators of `program`."""
    found: dict[Any, Callable[..., Any]] = {}
    for family in _FAMILIES:
        found.update(family.rewrites())
    found.update(windows.with_positions(program))
    return found
