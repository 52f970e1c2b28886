"""A convolution whose weights are computed while the model runs takes the kernels of constant ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neo_magics.compiler.kernels.computed_weights import arrange_filters, arrange_weights, lanes_are_full
from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Convolution
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.pack_depthwise import pack_depthwise

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def pack_computed(packer: Packer, call: Any, window: Window) -> Any | None:
    """conv2d(data, weights O I/groups H W) → the packed result's unpacked twin; None where lanes stay empty.

    Weights are arranged in each call, which costs about what one pixel of the result does; Winograd's
    transform of them would cost more.
    """
    weight, shape = calls.static_shape(call.args[1]), calls.shape_of(call.args[0])
    if weight is None or shape is None or 0 in weight:
        return None
    data, operand = call.args[0], call.args[1]
    channels, groups = (int(shape[1]), weight[0]), int(call.attrs.groups)
    size, taps = (int(shape[2]), int(shape[3])), (weight[2], weight[3])
    if groups == channels[0] == channels[1]:
        out_w = window.out_size(*size, taps)[1]
        filters = packer.emit(arrange_filters, operand, lanes=packer.lanes)
        return pack_depthwise(packer, data, filters, channels[1], window, out_w)
    batch = shape[0] if isinstance(shape[0], int) else None
    at_hand = packer.packed(data) is not None
    work = Convolution(batch, channels, size, taps, window, groups, at_hand, strict=True)
    way = packer.choose(work, packer.machine)
    arranged = way.shapes[1]
    if not lanes_are_full(weight, arranged):
        return None
    weights = packer.emit(arrange_weights, operand, shape=arranged, bands=way.bands)
    value = packer.pack(data) if way.packs else data
    return packer.keep(packer.emit(way.compute, value, weights, fuses=True, name=way.kernel), channels[1])
