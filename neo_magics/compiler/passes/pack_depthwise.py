"""A depthwise convolution becomes a kernel of our own on packed channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.depthwise import depthwise_conv2d
from neo_magics.compiler.kernels.tiles import register_tile, tail_pays, tile_with_tail
from neo_magics.compiler.passes.calls import Array

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def pack_depthwise(packer: Packer, data: Any, filters: Any, channels: int, window: Window, out_w: int) -> Any:
    """conv2d(data, filters) with one filter per channel → the unpacked twin of the packed result.

    `filters` are C/v H W v, as `pack_filters` makes them.
    """
    tiling = tile_with_tail if tail_pays(out_w, 1, packer.machine) else register_tile
    tile = tiling(out_w, 1, packer.machine)
    packed = packer.pack(data)
    made = packer.emit(depthwise_conv2d, packed, filters, fuses=True, window=window, tile=tile)
    return packer.keep(made, channels)


def pack_filters(weight: Array, lanes: int) -> Array:
    """C 1 H W → C/v H W v, filled up with zeros."""
    channels, _one, height, width = weight.shape
    filled = np.pad(weight, [(0, -channels % lanes), (0, 0), (0, 0), (0, 0)])
    return filled.reshape(-1, lanes, height, width).transpose(0, 2, 3, 1)
