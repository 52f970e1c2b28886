"""Two-dimensional convolution on packed channels (the layout of the NeoCPU paper, USENIX ATC'19).

Data N C/b H W b, weights O/v I/b KH KW b v, result N O/v H W v, where v are the lanes of a vector register.
Data that is not packed is N C H W, the same with b = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm import te, tirx

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.bands import Bands
from neo_magics.compiler.kernels.sizes import reaches

CONV2D = "conv2d"


@dataclass(frozen=True)
class Window:
    """How a window moves: each (height, width); padding (top, left, bottom, right)."""

    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    dilation: tuple[int, int]

    def place(self, y: Any, x: Any, ry: Any, rx: Any) -> tuple[Any, Any]:
        """Row and column of the padded data that result (y, x) reads at (ry, rx) of the window."""
        row = y * self.stride[0] + ry * self.dilation[0]
        return row, x * self.stride[1] + rx * self.dilation[1]

    def out_size(self, height: int, width: int, kernel: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the result."""
        top, left, bottom, right = self.padding
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, self.dilation, strict=True)]
        return (
            (height + top + bottom - spans[0]) // self.stride[0] + 1,
            (width + left + right - spans[1]) // self.stride[1] + 1,
        )


def conv2d(
    data: Any,
    weight: Any,
    *,
    window: Window,
    tile: tuple[int, int],
    bands: Bands | None = None,
    across: bool = False,
) -> Any:
    """Convolution with packed result; `tile` is (columns of the image, blocks of output channels).

    `across`: one row for all output channels, so that the data stays near; else one tile of channels for all
    rows, so that the weights do. Padded output channels have zero weights. `bands`: with groups, which
    blocks of the data the weights of a block are for.
    """
    out_blocks, in_blocks, kernel_h, kernel_w, in_lanes, lanes = (int(size) for size in weight.shape)
    height, width = int(data.shape[2]), int(data.shape[3])
    out_h, out_w = window.out_size(height, width, (kernel_h, kernel_w))
    padded = pad_window(data, window, (out_h, out_w), (kernel_h, kernel_w))
    rc, ri = te.reduce_axis((0, in_blocks), "rc"), te.reduce_axis((0, in_lanes), "ri")
    ry, rx = te.reduce_axis((0, kernel_h), "ry"), te.reduce_axis((0, kernel_w), "rx")

    def element(n: Any, o: Any, y: Any, x: Any, v: Any) -> Any:
        channel = rc if bands is None else bands.start(o, te.min) + rc
        row, column = window.place(y, x, ry, rx)
        place = (n, channel, row, column, ri)[: len(padded.shape)]
        return te.sum(padded[place] * weight[o, rc, ry, rx, ri, v], axis=[rc, ry, rx, ri])

    shape = (data.shape[0], out_blocks, out_h, out_w, lanes)
    return te.compute(shape, element, "conv2d", attrs={KERNEL: CONV2D, TILE: [*tile, int(across)]})


def pad_window(data: Any, window: Window, out: tuple[Any, Any], kernel: tuple[int, int]) -> Any:
    """`data` with zeros around: exactly what the windows read, or the block could not be tiled."""
    rows, columns = (
        (o - 1) * s + (k - 1) * d + 1
        for o, s, k, d in zip(out, window.stride, kernel, window.dilation, strict=True)
    )
    if not any(window.padding) and reaches(data.shape[3], columns):
        return data
    return pad_to(data, window, rows, columns)


def pad_to(data: Any, window: Window, rows: Any, columns: Any, attrs: dict[str, Any] | None = None) -> Any:
    """The first `rows` × `columns` of `data` in its padding, and zeros where they reach beyond it."""
    top, left, _bottom, _right = window.padding
    height, width = data.shape[2], data.shape[3]

    def element(n: Any, c: Any, y: Any, x: Any, *lane: Any) -> Any:
        inside = tirx.all(y >= top, y < height + top, x >= left, x < width + left)
        zero = tirx.const(0, data.dtype)
        return tirx.if_then_else(inside, data[(n, c, y - top, x - left, *lane)], zero)

    shape = (data.shape[0], data.shape[1], rows, columns, *data.shape[4:])
    return te.compute(shape, element, "pad", attrs=attrs)


def pack_channels(data: Any, *, lanes: int, size: Sequence[Any] = ()) -> Any:
    """N C H W → N C/v H W v; channels beyond C are zero. `size`: other words for (H, W)."""
    batch, channels, height, width = data.shape
    height, width = size or (height, width)
    blocks = -(-int(channels) // lanes)

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        value = data[n, c * lanes + v, y, x]
        if int(channels) % lanes == 0:
            return value
        return tirx.if_then_else(c * lanes + v < channels, value, tirx.const(0, data.dtype))

    return te.compute((batch, blocks, height, width, lanes), element, "pack_channels")


def unpack_channels(data: Any, *, channels: int, size: Sequence[Any] = ()) -> Any:
    """N C/v H W v → N C H W, the padded channels left out. `size`: other words for (H, W)."""
    batch, _blocks, height, width, lanes = data.shape
    height, width = size or (height, width)
    return te.compute(
        (batch, channels, height, width),
        lambda n, c, y, x: data[n, c // int(lanes), y, x, c % int(lanes)],
        "unpack_channels",
    )
