"""A table of embeddings that is also the last layer's weight is stored once, in that layer's panels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tvm
from tvm import relax, te

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

ROWS = 32  # looked up at most: an element of a panel is alone in its cache line
LARGE = 1 << 20  # bytes of a table that is worth it


class TiedTables:
    """The products of a function whose constant weight is the transpose of a table that it also looks up.

    take(table [V, K], rows, axis 0) then reads the packed weight of matmul(x, table.T): a decoder that takes
    one token at a time keeps one of two copies of its largest tensor. (Press and Wolf, "Using the Output
    Embedding to Improve Language Models", ties them.) `packed` says which products have panels.
    """

    def __init__(self, function: relax.Function, packed: Callable[[Any, Array], bool]) -> None:
        self._packed = packed
        self._products: list[Any] = []
        relax.analysis.post_order_visit(function, self._visit)

    def _visit(self, expression: Any) -> None:
        if calls.name_of(expression) == "relax.matmul":
            weight = calls.constant(expression.args[1])
            if weight is not None and weight.ndim == 2 and weight.nbytes >= LARGE:
                self._products.append(expression)

    def product(self, call: Any) -> Any | None:
        """The matmul whose weight has the rows that `call`, a take, looks up; None where there is none."""
        if calls.name_of(call) != "relax.take" or not self._products or not _few_rows(call):
            return None
        table = calls.constant(call.args[0])
        if table is None or table.ndim != 2:
            return None
        return next((each for each in self._products if _tied(table, each.args[1].value.numpy())), None)


def rows_of_panels(panels: Any, rows: Any) -> Any:
    """panels [V/panel, K, panel], rows […] of whole numbers → […, K]: column `row` of the packed matrix."""
    depth, panel = panels.shape[1], panels.shape[2]

    def element(*place: Any) -> Any:
        row = rows(*place[:-1])
        return panels[tvm.tirx.floordiv(row, panel), place[-1], tvm.tirx.floormod(row, panel)]

    return te.compute((*rows.shape, depth), element, "tied_take")


def _few_rows(call: Any) -> bool:
    shape = calls.static_shape(call.args[1])
    axis = call.attrs.axis
    fast = str(call.attrs.mode) == "fast" and (axis is None or int(axis) == 0)
    return fast and shape is not None and math.prod(shape) <= ROWS


def _tied(table: Array, weight: Array) -> bool:
    return (
        table.shape == weight.shape[::-1] and table.dtype == weight.dtype and np.array_equal(table.T, weight)
    )
