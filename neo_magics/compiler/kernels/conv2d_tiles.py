"""Convolution in tiles with a tail, also in phases: a transposed one is a convolution for each phase.

Data N C/b H W b, weights [phase, phase, O/v, I/b, KH, KW, b, v], result N O/v H W v.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import te

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.bands import Bands
from neo_magics.compiler.kernels.conv2d import Window, pad_to
from neo_magics.compiler.kernels.sizes import ceil_div, reaches

CONV2D_TILES = "conv2d_tiles"
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Phases:
    """Which data a result reads: result y is number y // count of phase y % count.

    `window` moves over the data, by (phase + `offset`) // `count` further in each phase; all (height, width).
    """

    window: Window
    count: tuple[int, int] = (1, 1)
    offset: tuple[int, int] = (0, 0)

    def place(self, axis: int, number: Any, phase: Any, tap: Any) -> Any:
        """The row (axis 0) or column of the padded data that a result reads at `tap` of its window."""
        shift = (phase + self.offset[axis]) // self.count[axis]
        return number * self.window.stride[axis] + tap * self.window.dilation[axis] + shift


def pack_phases(weight: Array, in_lanes: int, lanes: int) -> Array:
    """[phase, phase, O, I, H, W] → [phase, phase, O/v, I/b, H, W, b, v], filled up with zeros."""
    high, wide, out, inner, height, width = weight.shape
    missing = [(0, 0), (0, 0), (0, -out % lanes), (0, -inner % in_lanes), (0, 0), (0, 0)]
    blocked = np.pad(weight, missing).reshape(
        high, wide, -1, lanes, -(-inner // in_lanes), in_lanes, height, width
    )
    return blocked.transpose(0, 1, 2, 4, 6, 7, 5, 3)


def conv2d_tiles(
    data: Any,
    weight: Any,
    *,
    phases: Phases,
    out: tuple[Any, Any],
    tile: tuple[int, int],
    bands: Bands | None = None,
    across: bool = False,
) -> Any:
    """The convolution with a result of `out` (height, width), `tile` = (columns, blocks of channels) at once.

    A height or width that is only known later is an expression.

    `bands` and `across` as in kernels.conv2d.
    Columns beyond the end of the last tile are computed of zeros and not stored.
    """
    high, wide, out_blocks, in_blocks, kernel_h, kernel_w, in_lanes, lanes = (int(s) for s in weight.shape)
    rows, columns = ceil_div(out[0], high), ceil_div(out[1], wide)
    tiles = ceil_div(columns, tile[0])
    last = rows - 1, tiles * tile[0] - 1
    needed = (
        phases.place(0, last[0], high - 1, kernel_h - 1) + 1,
        phases.place(1, last[1], wide - 1, kernel_w - 1) + 1,
    )
    padded = _pad(data, phases.window, needed)
    rc, ri = te.reduce_axis((0, in_blocks), "rc"), te.reduce_axis((0, in_lanes), "ri")
    ry, rx = te.reduce_axis((0, kernel_h), "ry"), te.reduce_axis((0, kernel_w), "rx")

    def element(*place: Any) -> Any:
        n, o, y, a, b, x, k, v = place
        row, column = phases.place(0, y, a, ry), phases.place(1, x * tile[0] + k, b, rx)
        channel = rc if bands is None else bands.start(o, te.min) + rc
        spot = (n, channel, row, column, ri)[: len(padded.shape)]
        return te.sum(padded[spot] * weight[a, b, o, rc, ry, rx, ri, v], axis=[rc, ry, rx, ri])

    shape = (data.shape[0], out_blocks, rows, high, wide, tiles, tile[0], lanes)
    marks = {KERNEL: CONV2D_TILES, TILE: [*tile, high, wide, int(across)]}
    sums = te.compute(shape, element, "conv2d_tiles", attrs=marks)

    def result(n: Any, o: Any, y: Any, x: Any, v: Any) -> Any:
        column = x // wide
        return sums[n, o, y // high, y % high, x % wide, column // tile[0], column % tile[0], v]

    return te.compute((data.shape[0], out_blocks, *out, lanes), result, "conv2d")


def _pad(data: Any, window: Window, needed: tuple[Any, Any]) -> Any:
    top, left, _bottom, _right = window.padding
    fits = all(reaches(*sizes) for sizes in zip(data.shape[2:4], needed, strict=True))
    return data if fits and not top and not left else pad_to(data, window, *needed)
