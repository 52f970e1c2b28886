"""Convolutions of images whose height or width is free: in tiles or chunks of a size that suits many."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Convolution, Tiles, Winograd
from neo_magics.compiler.kernels.conv2d_tiles import Phases, conv2d_tiles
from neo_magics.compiler.kernels.depthwise import depthwise_conv2d
from neo_magics.compiler.kernels.tiles import tile_with_tail, tiles_with_tail
from neo_magics.compiler.kernels.winograd import Plan, winograd_conv2d
from neo_magics.compiler.kernels.winograd_plan import choose_plan
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.pack_depthwise import pack_filters

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def pack_free_conv2d(packer: Packer, call: Any, weight: calls.Array, window: Window) -> Any:
    """conv2d(data, weight), `call`, with a result of free size → the unpacked twin of the packed result."""
    data, groups = call.args[0], int(call.attrs.groups)
    batch, inner, *size = calls.shape_of(data) or ()
    channels, taps = (int(inner), weight.shape[0]), (weight.shape[2], weight.shape[3])
    if groups == channels[0] == channels[1]:
        return _depthwise(packer, call, weight, window)
    work = Convolution(
        batch if isinstance(batch, int) else None, channels, packer.sizes.typical_pair(size), taps, window,
        groups, packer.packed(data) is not None, strict=True,
    )  # fmt: skip
    plan = _plan(work, packer, call) if work.packed and not packer.strict else None
    if plan is not None:
        return _winograd(packer, call, weight, Winograd(work, packer.lanes, plan))
    blocks, bytes_read = work.bands(packer.lanes).shared, work.weights(packer.lanes)
    tile = tiles_with_tail(work.out[1], blocks, packer.machine, weights=bytes_read)[0]
    way = Tiles(work, packer.lanes, tile)
    operands = packer.pack(data) if way.packs else data, calls.make_constant(way.pack(weight))
    made = packer.emit(
        conv2d_tiles, *operands, fuses=True, sizes={"out": packer.named(call)},
        phases=Phases(window), tile=tile, bands=way.bands,
    )  # fmt: skip
    return packer.keep(made, channels[1])


def _plan(work: Convolution, packer: Packer, call: Any) -> Plan | None:
    """A cut for Winograd where it is expected to be faster."""
    if work.window.dilation != (1, 1) or work.groups > 1:
        return None
    height, width = (not isinstance(size, int) for size in packer.named(call))
    return choose_plan(replace(work.layer(packer.lanes), free=(height, width)), packer.machine)


def _winograd(packer: Packer, call: Any, weight: calls.Array, way: Winograd) -> Any:
    operands = packer.pack(call.args[0]), calls.make_constant(way.pack(weight))
    made = packer.emit(
        winograd_conv2d, *operands, fuses=True, sizes={"out": packer.named(call)},
        window=way.work.window, plan=way.plan, blocks=way.blocks[1],
    )  # fmt: skip
    return packer.keep(made, way.work.channels[1])


def _depthwise(packer: Packer, call: Any, weight: calls.Array, window: Window) -> Any:
    out = packer.named(call)
    tile = tile_with_tail(packer.sizes.typical(out[1]), 1, packer.machine)
    operands = packer.pack(call.args[0]), calls.make_constant(pack_filters(weight, packer.lanes))
    made = packer.emit(depthwise_conv2d, *operands, fuses=True, sizes={"out": out}, window=window, tile=tile)
    return packer.keep(made, len(weight))
