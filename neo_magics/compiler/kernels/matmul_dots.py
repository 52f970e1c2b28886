"""Matrix product of narrow numbers with a constant right operand, summed in float32 or int32.

The panels of `kernels.matmul`, in which neighbours along K stand together, as many as one instruction sums
(the layout of oneDNN's and of Intel's bf16 and VNNI kernels).
"""

from __future__ import annotations

from typing import Any

from tvm import te, tirx

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.dots import DOT, Dot

DOT_MATMUL = "dot_matmul"


def dot_matmul(data: Any, weight: Any, *scaling: Any, columns: int, rows: int, dot: Dot) -> Any:
    """data [M, K] times weight [N/panel, K/group, panel, group] → float32 [M, N].

    `rows` × panel sums are held in registers; rows beyond M repeat the last one, as in `kernels.matmul`.
    `scaling` is nothing, or [N] factors and [N] terms that make floats of the sums.
    """
    count = data.shape[0]
    panels, groups, panel, group = (int(size) for size in weight.shape)
    r, k = te.reduce_axis((0, groups), "r"), te.reduce_axis((0, group), "k")
    cut = not isinstance(count, tirx.IntImm) or int(count) % rows != 0

    def element(o: Any, i: Any, j: Any) -> Any:
        row = tirx.min(i, count - 1) if cut else i
        value = dot.widen(data[row, r * group + k]) * dot.widen(weight[o, r, j, k])
        return te.sum(value, axis=[r, k])

    tiles = (
        -(-int(count) // rows) if isinstance(count, tirx.IntImm) else tirx.floordiv(count + rows - 1, rows)
    )
    shape = (panels, tiles * rows, panel)
    marks = {KERNEL: DOT_MATMUL, TILE: [rows, panel], DOT: dot.name}
    sums = te.compute(shape, element, "matmul", attrs=marks)

    def result(i: Any, j: Any) -> Any:
        value = sums[j // panel, i, j % panel].astype("float32")
        return value * scaling[0][j] + scaling[1][j] if scaling else value

    return te.compute((count, columns), result, "matmul_out")


def pad_depth(data: Any, *, depth: int) -> Any:
    """[M, K] → [M, depth], filled up with zeros."""
    known = data.shape[1]

    def element(i: Any, k: Any) -> Any:
        return tirx.if_then_else(k < known, data[i, k], tirx.const(0, data.dtype))

    return te.compute((data.shape[0], depth), element, "pad_depth")
