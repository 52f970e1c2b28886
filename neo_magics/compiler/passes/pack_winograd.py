"""A convolution with stride 1 becomes a Winograd kernel on packed channels, where that is faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.winograd import transform_weight, winograd_conv2d
from neo_magics.compiler.kernels.winograd_plan import Layer, choose_plan
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def pack_winograd(packer: Packer, data: Any, weight: Array, window: Window) -> Any | None:
    """conv2d(data, weight) without groups → the unpacked twin of the packed result; None: better direct."""
    channels, inner = weight.shape[:2]
    shape = calls.shape_of(data)
    if shape is None or window.stride != (1, 1) or window.dilation != (1, 1) or inner < packer.lanes:
        return None
    batch = shape[0] if isinstance(shape[0], int) else None
    taps = (weight.shape[2], weight.shape[3])
    height, width = window.out_size(int(shape[2]), int(shape[3]), taps)
    in_blocks, blocks = -(-inner // packer.lanes), -(-channels // packer.lanes)
    plan = choose_plan(Layer(batch, height, width, in_blocks, blocks, taps), packer.machine)
    if plan is None:
        return None
    packed = packer.pack(data)
    transformed = calls.make_constant(transform_weight(weight, plan, packer.lanes))
    made = packer.emit(
        winograd_conv2d, packed, transformed, fuses=True, window=window, plan=plan, blocks=blocks
    )
    return packer.keep(made, channels)
