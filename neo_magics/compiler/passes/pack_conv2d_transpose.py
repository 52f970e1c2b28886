"""A transposed convolution becomes convolutions of its phases on packed channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neo_magics.compiler.kernels.conv2d_tiles import conv2d_tiles, pack_phases, transposed
from neo_magics.compiler.kernels.tiles import tile_with_tail
from neo_magics.compiler.passes import calls

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def pack_conv2d_transpose(packer: Packer, call: Any) -> Any | None:
    """conv2d_transpose(data, constant) without groups or dilation → the packed result's unpacked twin."""
    weight, shape, out = calls.constant(call.args[1]), calls.shape_of(call.args[0]), calls.shape_of(call)
    attrs = call.attrs
    layouts = (attrs.data_layout, attrs.kernel_layout, attrs.out_layout)
    if weight is None or weight.dtype != np.float32 or calls.dtype_of(call.args[0]) != "float32":
        return None
    if shape is None or out is None or not all(isinstance(size, int) for size in (*shape[1:], *out[1:])):
        return None
    if (
        layouts != ("NCHW", "IOHW", "NCHW")
        or int(attrs.groups) != 1
        or set(calls.numbers(attrs.dilation)) != {1}
    ):
        return None
    strides, padding = calls.numbers(attrs.strides), calls.numbers(attrs.padding)
    lead = (padding[0], padding[1 if len(padding) > 1 else 0])  # (top, left, …) or (height, width) or one
    phases, parts = transposed(weight, (strides[0], strides[-1]), lead)
    size = (int(out[2]), int(out[3]))
    blocks = -(-int(out[1]) // packer.lanes)
    wide = phases.count[1]
    tile = tile_with_tail(-(-size[1] // wide), blocks, packer.machine, phases=wide)
    data = packer.pack(call.args[0])
    packed = calls.make_constant(pack_phases(parts, packer.lanes, packer.lanes))
    made = packer.emit(conv2d_tiles, data, packed, fuses=True, phases=phases, out=size, tile=tile)
    return packer.keep(made, int(out[1]))
