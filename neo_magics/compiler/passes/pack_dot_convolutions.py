"""A convolution whose operand becomes narrow is a kernel of narrow numbers on packed channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neo_magics.compiler.kernels import ELEMENTWISE
from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Winograd
from neo_magics.compiler.kernels.conv2d_dots import dot_conv2d
from neo_magics.compiler.kernels.conv2d_tiles import pack_phases
from neo_magics.compiler.kernels.dots import Dot
from neo_magics.compiler.kernels.tiles import register_tile
from neo_magics.compiler.kernels.winograd_plan import worth_it
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array
from neo_magics.compiler.passes.narrow_operand import Narrow

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def pack_dot_conv2d(packer: Packer, value: Any, weight: Array, window: Window, narrow: Narrow) -> Any:
    """conv2d of a value that becomes `narrow`, without groups → the unpacked twin of the packed result."""
    lanes, channels, data = packer.lanes, weight.shape[0], packer.pack(value)
    out_w = window.out_size(int(data.ty.shape[2]), int(data.ty.shape[3]), weight.shape[2:])[1]
    tile = register_tile(out_w, -(-channels // lanes), packer.machine)
    weights, scaling = narrow.weights(weight, axis=0)
    packed = group_channels(pack_phases(weights[None, None], lanes, lanes)[0, 0], narrow.dot)
    operands = [packed, *(np.pad(each, (0, -channels % lanes)).reshape(-1, lanes) for each in scaling)]
    made = packer.emit(
        dot_conv2d,
        packer.emit(narrow.convert, data, pattern=ELEMENTWISE, name="to_" + narrow.dot.name),
        *(calls.make_constant(operand) for operand in operands),
        fuses=True,
        window=window,
        tile=tile,
        dot=narrow.dot,
        zero=narrow.zero,
    )
    return packer.keep(made, channels)


def narrow_wins(way: Any, machine: Machine, dot: Dot) -> bool:
    """Whether more products at once beat the float32 kernel: Winograd's, with its fewer products, may win."""
    if not isinstance(way, Winograd):
        return True
    return not worth_it(way.plan, way.work.layer(machine.lanes), machine, speed=dot.group)


def group_channels(parts: Array, dot: Dot) -> Array:
    """O/v I/b H W b v → O/v I/b H W b/group v group."""
    *outer, inner, lanes = parts.shape
    return parts.reshape(*outer, inner // dot.group, dot.group, lanes).swapaxes(-1, -2)
