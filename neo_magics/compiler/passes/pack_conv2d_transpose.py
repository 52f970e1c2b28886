"""A transposed convolution becomes convolutions of its phases on packed channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Convolution
from neo_magics.compiler.kernels.conv2d_tiles import conv2d_tiles, pack_phases, transposed
from neo_magics.compiler.kernels.tiles import tile_with_tail
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

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
    size = (int(out[2]), int(out[3]))
    if shape[2:] == (1, 1):
        return _of_one_pixel(packer, call, spread(weight, lead, size, packer.lanes), size)
    phases, parts = transposed(weight, (strides[0], strides[-1]), lead)
    blocks = -(-int(out[1]) // packer.lanes)
    wide = phases.count[1]
    tile = tile_with_tail(-(-size[1] // wide), blocks, packer.machine, phases=wide)
    data = packer.pack(call.args[0])
    packed = calls.make_constant(pack_phases(parts, packer.lanes, packer.lanes))
    made = packer.emit(conv2d_tiles, data, packed, fuses=True, phases=phases, out=size, tile=tile)
    return packer.keep(made, int(out[1]))


def _of_one_pixel(packer: Packer, call: Any, weight: Array, size: tuple[int, int]) -> Any:
    """A 1×1 convolution whose channels are the result's pixels: no window of it reads anything else."""
    batch, inner, *_one = calls.shape_of(call.args[0]) or ()
    window = Window((1, 1), (0, 0, 0, 0), (1, 1))
    free = batch if isinstance(batch, int) else None
    work = Convolution(free, (int(inner), len(weight)), (1, 1), (1, 1), window, strict=packer.strict)
    way = packer.choose(work, packer.machine)
    data, packed = packer.pack(call.args[0]), calls.make_constant(way.pack(weight))
    made = packer.emit(way.compute, data, packed, fuses=True, name=way.kernel)
    shape = [batch, len(weight) // (size[0] * size[1] * packer.lanes), *size, packer.lanes]
    return packer.keep(packer.builder_.emit(relax.op.reshape(made, shape)), int(call.ty.shape.values[1]))


def spread(weight: Array, lead: tuple[int, int], size: tuple[int, int], lanes: int) -> Array:
    """I O KH KW of a transposed convolution of one pixel → (O/v H W v) I 1 1, for a result of `size` (H, W).

    Result (y, x) is tap (y + top, x + left), `lead` = (top, left), and zero beyond the last.
    """
    inner, out, *_taps = weight.shape
    taps = weight[:, :, lead[0] :, lead[1] :][:, :, : size[0], : size[1]]
    height, width = taps.shape[2:]
    whole = np.zeros((inner, out + -out % lanes, *size), weight.dtype)
    whole[:, :out, :height, :width] = taps
    return whole.reshape(inner, -1, lanes, *size).transpose(1, 3, 4, 2, 0).reshape(-1, inner, 1, 1)
