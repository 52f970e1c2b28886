"""Pooling on packed channels: a depthwise convolution without weights, and scheduled as one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tvm import te, tirx

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.depthwise import DEPTHWISE
from neo_magics.compiler.kernels.sizes import ceil_div, known, reaches

Sizes = tuple[int, int]
Out = Sequence[Any]  # height and width: numbers, or expressions where they are free


def max_pool(data: Any, *, window: Window, size: Sizes, out: Out, tile: Sizes) -> Any:
    """The largest value under each window."""
    dtype = str(data.dtype)
    lowest = tirx.const(-math.inf, dtype) if dtype.startswith("float") else tirx.min_value(dtype)
    padded = _bordered(data, window, size, _whole(out, tile), lowest)
    return _reduced(padded, te.max, window=window, size=size, out=out, tile=tile)


def average_pool(data: Any, *scale: Any, window: Window, size: Sizes, out: Out, tile: Sizes) -> Any:
    """The sum under each window times 1 / area, or times `scale` [height, width] where windows are cut."""
    padded = _bordered(data, window, size, _whole(out, tile), tirx.const(0, data.dtype))
    total = _reduced(padded, te.sum, window=window, size=size, out=out, tile=tile)
    area = tirx.const(1 / (size[0] * size[1]), data.dtype)

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        return total[n, c, y, x, v] * (scale[0][y, x] if scale else area)

    return te.compute(total.shape, element, "average")


def _whole(out: Out, tile: Sizes) -> Out:
    """A free width as far as the last tile reaches."""
    return out if known(out[1]) is not None else (out[0], ceil_div(out[1], tile[0]) * tile[0])


def _reduced(padded: Any, reduce: Any, *, window: Window, size: Sizes, out: Out, tile: Sizes) -> Any:
    ry, rx = te.reduce_axis((0, size[0]), "ry"), te.reduce_axis((0, size[1]), "rx")

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        row, column = window.place(y, x, ry, rx)
        return reduce(padded[n, c, row, column, v], axis=[ry, rx])

    columns, (batch, blocks, *_size, lanes) = tile[0], padded.shape
    marks = {KERNEL: DEPTHWISE, TILE: list(tile)}
    if known(out[1]) is not None:
        return te.compute((batch, blocks, *out, lanes), element, "pooled", attrs=marks)

    def of_tile(n: Any, c: Any, y: Any, x: Any, k: Any, v: Any) -> Any:
        return element(n, c, y, x * columns + k, v)

    tiles = te.compute(
        (batch, blocks, out[0], ceil_div(out[1], columns), columns, lanes), of_tile, "pooled", attrs=marks
    )
    return te.compute(
        (batch, blocks, *out, lanes),
        lambda n, c, y, x, v: tiles[n, c, y, x // columns, x % columns, v],
        "taken",
    )


def _bordered(data: Any, window: Window, size: Sizes, out: Out, value: Any) -> Any:
    """`data` with `value` around it, as far as windows reach."""
    height, width = data.shape[2:4]
    top, left, _bottom, _right = window.padding
    rows, columns = (
        (o - 1) * s + (k - 1) * d + 1
        for o, s, k, d in zip(out, window.stride, size, window.dilation, strict=True)
    )
    if not (top or left) and reaches(height, rows) and reaches(width, columns):
        return data

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        inside = tirx.all(y >= top, y < height + top, x >= left, x < width + left)
        return tirx.if_then_else(inside, data[n, c, y - top, x - left, v], value)

    return te.compute((data.shape[0], data.shape[1], rows, columns, data.shape[4]), element, "pad")
