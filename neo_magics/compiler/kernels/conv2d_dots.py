"""Two-dimensional convolution of narrow numbers on packed channels, summed in float32 or int32.

The layout of `kernels.conv2d`, in which neighbouring input channels of a weight stand together, as many as
one instruction sums: weights O/v I/b KH KW b/group v group.
"""

from __future__ import annotations

from typing import Any

from tvm import te, tirx

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.dots import DOT, Dot

DOT_CONV2D = "dot_conv2d"


def dot_conv2d(
    data: Any,
    weight: Any,
    *scaling: Any,
    window: Window,
    tile: tuple[int, int],
    dot: Dot,
    zero: int = 0,
) -> Any:
    """Narrow data N C/b H W b → float32 N O/v H W v; `tile` as in `kernels.conv2d`.

    `scaling` is nothing, or O/v v factors and terms that make floats of the sums. The data is padded with
    `zero`, its number for 0.
    """
    out_blocks, in_blocks, kernel_h, kernel_w, runs, lanes, group = (int(size) for size in weight.shape)
    height, width = int(data.shape[2]), int(data.shape[3])
    out_h, out_w = window.out_size(height, width, (kernel_h, kernel_w))
    padded = _pad(data, window, (out_h, out_w), (kernel_h, kernel_w), zero)
    rc, ri = te.reduce_axis((0, in_blocks), "rc"), te.reduce_axis((0, runs), "ri")
    ry, rx = te.reduce_axis((0, kernel_h), "ry"), te.reduce_axis((0, kernel_w), "rx")
    k = te.reduce_axis((0, group), "k")

    def element(n: Any, o: Any, y: Any, x: Any, v: Any) -> Any:
        row, column = window.place(y, x, ry, rx)
        value = dot.widen(padded[n, rc, row, column, ri * group + k])
        return te.sum(value * dot.widen(weight[o, rc, ry, rx, ri, v, k]), axis=[rc, ry, rx, ri, k])

    marks = {KERNEL: DOT_CONV2D, TILE: list(tile), DOT: dot.name}
    shape = (data.shape[0], out_blocks, out_h, out_w, lanes)
    sums = te.compute(shape, element, "conv2d", attrs=marks)

    def result(n: Any, o: Any, y: Any, x: Any, v: Any) -> Any:
        value = sums[n, o, y, x, v].astype("float32")
        return value * scaling[0][o, v] + scaling[1][o, v] if scaling else value

    return te.compute(shape, result, "conv2d_out") if scaling else sums


def _pad(data: Any, window: Window, out: tuple[int, int], kernel: tuple[int, int], zero: int) -> Any:
    """Exactly what the windows read, `zero` around the data."""
    if not any(window.padding):
        return data
    top, left, _bottom, _right = window.padding
    height, width = data.shape[2], data.shape[3]
    rows, columns = (
        (o - 1) * s + (k - 1) * d + 1
        for o, s, k, d in zip(out, window.stride, kernel, window.dilation, strict=True)
    )

    def element(n: Any, c: Any, y: Any, x: Any, lane: Any) -> Any:
        inside = tirx.all(y >= top, y < height + top, x >= left, x < width + left)
        return tirx.if_then_else(inside, data[n, c, y - top, x - left, lane], tirx.const(zero, data.dtype))

    return te.compute((data.shape[0], data.shape[1], rows, columns, data.shape[4]), element, "pad")
