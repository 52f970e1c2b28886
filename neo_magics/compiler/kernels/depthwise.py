"""Depthwise convolution on packed channels: one filter per channel, so each lane sums alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import te

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d import Window, pad_window
from neo_magics.compiler.kernels.sizes import ceil_div

DEPTHWISE = "depthwise"


def depthwise_conv2d(
    data: Any, weight: Any, *, window: Window, tile: tuple[int, int], out: Sequence[Any] = ()
) -> Any:
    """One filter per channel: data N C/v H W v, weights C/v KH KW v; tile[0] columns at once.

    `out` (height, width) is needed where the data's is free, else it follows.
    Columns beyond the end of the last tile are computed of zeros and not stored.
    """
    _blocks, kernel_h, kernel_w, lanes = (int(size) for size in weight.shape)
    out_h, out_w = out or window.out_size(int(data.shape[2]), int(data.shape[3]), (kernel_h, kernel_w))
    columns, tiles = tile[0], ceil_div(out_w, tile[0])
    padded = pad_window(data, window, (out_h, tiles * columns), (kernel_h, kernel_w))
    ry, rx = te.reduce_axis((0, kernel_h), "ry"), te.reduce_axis((0, kernel_w), "rx")

    def element(n: Any, c: Any, y: Any, x: Any, k: Any, v: Any) -> Any:
        row, column = window.place(y, x * columns + k, ry, rx)
        return te.sum(padded[n, c, row, column, v] * weight[c, ry, rx, v], axis=[ry, rx])

    shape = (data.shape[0], data.shape[1], out_h, tiles, columns, lanes)
    sums = te.compute(shape, element, "depthwise", attrs={KERNEL: DEPTHWISE, TILE: list(tile)})
    return te.compute(
        (*shape[:3], out_w, lanes),
        lambda n, c, y, x, v: sums[n, c, y, x // columns, x % columns, v],
        "filtered",
    )
