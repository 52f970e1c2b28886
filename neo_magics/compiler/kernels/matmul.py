"""Matrix product with a constant right operand, packed in column panels that are read from start to end."""

from __future__ import annotations

from typing import Any

from tvm import te

from neo_magics.compiler.kernels import KERNEL, TILE

MATMUL = "matmul"


def packed_matmul(data: Any, weight: Any, *, rows: int) -> Any:
    """data […, K] times weight [N/panel, K, panel] → […, N]; `rows` of the result are held in registers."""
    *lead, depth = data.shape
    panels, _depth, panel = (int(size) for size in weight.shape)
    r = te.reduce_axis((0, depth), "r")

    def element(*indices: Any) -> Any:
        *place, o, j = indices
        return te.sum(data[(*place, r)] * weight[o, r, j], axis=[r])

    product = te.compute(
        (*lead, panels, panel), element, "matmul", attrs={KERNEL: MATMUL, TILE: [rows, panel]}
    )
    return te.compute(
        (*lead, panels * panel), lambda *i: product[(*i[:-1], i[-1] // panel, i[-1] % panel)], "matmul_out"
    )
