"""Matrix products whose right operand is packed in column panels, which are read from start to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import te, tirx

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.sizes import is_one

MATMUL = "matmul"
Array = np.ndarray[Any, Any]


def packed_matmul(data: Any, weight: Any, *, columns: int, rows: int) -> Any:
    """data [M, K] times weight [N/panel, K, panel] → [M, N]; `rows` × panel sums are held in registers.

    `columns` is N; the panels' further columns are zeros. The sums are computed for whole tiles, where rows
    beyond M repeat the last one, and only the M × N of them that count are stored.
    """
    count, depth = data.shape
    panels, _depth, panel = (int(size) for size in weight.shape)
    r = te.reduce_axis((0, depth), "r")
    cut = not isinstance(count, tirx.IntImm) or int(count) % rows != 0

    def element(o: Any, i: Any, j: Any) -> Any:
        row = tirx.min(i, count - 1) if cut else i
        return te.sum(data[row, r] * weight[o, r, j], axis=[r])

    tiles = (
        -(-int(count) // rows) if isinstance(count, tirx.IntImm) else tirx.floordiv(count + rows - 1, rows)
    )
    shape = (panels, tiles * rows, panel)
    product = te.compute(shape, element, "matmul", attrs={KERNEL: MATMUL, TILE: [rows, panel]})
    return te.compute((count, columns), lambda i, j: product[j // panel, i, j % panel], "matmul_out")


def batch_matmul(data: Any, weight: Any, *, columns: int, rows: int) -> Any:
    """data […, M, K] times weight […, N/panel, K, panel] → […, M, N], as `packed_matmul`.

    The leading dimensions broadcast, as those of NumPy's matmul.
    """
    (*own, count, depth), (*matrices, panels, _depth, panel) = data.shape, weight.shape
    lead = _broadcast(own, matrices)
    r = te.reduce_axis((0, depth), "r")

    def element(*place: Any) -> Any:
        *batch, o, i, j = place
        row = data[(*_within(own, batch), tirx.min(i, count - 1), r)]
        return te.sum(row * weight[(*_within(matrices, batch), o, r, j)], axis=[r])

    shape = (*lead, panels, tirx.floordiv(count + rows - 1, rows) * rows, panel)
    product = te.compute(shape, element, "matmul", attrs={KERNEL: MATMUL, TILE: [rows, int(panel)]})

    def result(*place: Any) -> Any:
        *batch, i, j = place
        return product[(*batch, tirx.floordiv(j, panel), i, tirx.floormod(j, panel))]

    return te.compute((*lead, count, columns), result, "matmul_out")


def _broadcast(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
    longer, shorter = sorted((list(a), list(b)), key=len, reverse=True)
    whole = [1] * (len(longer) - len(shorter)) + shorter
    return [y if is_one(x) else x for x, y in zip(longer, whole, strict=True)]


def _within(shape: Sequence[Any], batch: Sequence[Any]) -> list[Any]:
    """Where a place of the broadcast dimensions is in `shape`."""
    last = batch[len(batch) - len(shape) :]
    return [0 if is_one(size) else place for size, place in zip(shape, last, strict=True)]


def pack_panels(data: Any, *, panel: int) -> Any:
    """[…, K, N] → […, N/panel, K, panel], the last panel filled with zeros."""
    *lead, depth, columns = data.shape
    zero = tirx.const(0, data.dtype)

    def element(*place: Any) -> Any:
        *batch, o, r, j = place
        column = o * panel + j
        value = data[(*batch, r, column)]
        return value if int(columns) % panel == 0 else tirx.if_then_else(column < columns, value, zero)

    return te.compute((*lead, -(-int(columns) // panel), depth, panel), element, "pack_panels")


def pack_columns(weight: Array, panel: int) -> Array:
    """[K, N] → [N/panel, K, panel], the last panel filled with zeros."""
    depth, columns = weight.shape
    panels = -(-columns // panel)
    padded = np.zeros((depth, panels * panel), weight.dtype)
    padded[:, :columns] = weight
    return padded.reshape(depth, panels, panel).transpose(1, 0, 2)
