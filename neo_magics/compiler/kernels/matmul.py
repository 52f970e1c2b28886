"""Matrix product with a constant right operand, packed in column panels that are read from start to end."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import te, tirx

from neo_magics.compiler.kernels import KERNEL, TILE

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


def pack_columns(weight: Array, panel: int) -> Array:
    """[K, N] → [N/panel, K, panel], the last panel filled with zeros."""
    depth, columns = weight.shape
    panels = -(-columns // panel)
    padded = np.zeros((depth, panels * panel), weight.dtype)
    padded[:, :columns] = weight
    return padded.reshape(depth, panels, panel).transpose(1, 0, 2)
