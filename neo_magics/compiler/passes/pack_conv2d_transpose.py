"""A transposed convolution becomes convolutions of its phases on packed channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from neo_magics.compiler.kernels.bands import Bands
from neo_magics.compiler.kernels.computed_weights import lanes_are_full
from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_candidates import Convolution
from neo_magics.compiler.kernels.conv2d_phases import Transposed, out_first, spread_window
from neo_magics.compiler.kernels.conv2d_tiles import conv2d_tiles, pack_phases
from neo_magics.compiler.kernels.tiles import tile_with_tail
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def pack_conv2d_transpose(packer: Packer, call: Any) -> Any | None:
    """conv2d_transpose, its weights constant or computed → the packed result's unpacked twin.

    None for other layouts and dtypes, and where computed weights would leave lanes empty.
    """
    data, operand = call.args
    shape, out, window = calls.shape_of(data), calls.shape_of(call), calls.static_shape(operand)
    if shape is None or out is None or window is None:
        return None
    if not calls.is_plain_convolution(call, "IOHW", (shape[1], out[1])):
        return None
    size, weight, groups = packer.named(call), calls.constant(operand), int(call.attrs.groups)
    work, gaps = _work(call, window)
    if weight is not None and shape[2:] == (1, 1) and groups == 1 and work.dilation == gaps == (1, 1):
        return _of_one_pixel(packer, call, spread(weight, work.padding, size, packer.lanes), size)
    bands = Bands((int(shape[1]), int(out[1])), groups, (packer.lanes, packer.lanes))
    if weight is not None:
        weights = _constant(out_first(spread_window(weight, gaps), groups), work, bands)
    else:
        weights = _computed(packer, operand, work, bands) if gaps == (1, 1) else None
    if weights is None:
        return None
    wide = work.stride[1]
    columns = -(-packer.sizes.typical(size[1]) // wide)
    tile = tile_with_tail(columns, bands.shared, packer.machine, phases=wide)
    options: dict[str, Any] = {"sizes": {"out": size}, "phases": work.phases, "tile": tile}
    made = packer.emit(
        conv2d_tiles, packer.pack(data), weights, fuses=True, bands=bands if groups > 1 else None, **options
    )
    return packer.keep(made, int(out[1]))


def _work(call: Any, window: Sequence[int]) -> tuple[Transposed, tuple[int, int]]:
    """The convolution, and the zeros that come between the taps of its window first."""
    attrs = call.attrs
    stride, dilation, padding = (
        calls.numbers(numbers) for numbers in (attrs.strides, attrs.dilation, attrs.padding)
    )
    lead = padding[0], padding[1 if len(padding) > 1 else 0]  # (top, left, …), (height, width) or one number
    steps = (stride[0], stride[-1])
    gaps = (dilation[0] if steps[0] > 1 else 1, dilation[-1] if steps[1] > 1 else 1)
    taps = ((window[2] - 1) * gaps[0] + 1, (window[3] - 1) * gaps[1] + 1)
    return Transposed(taps, steps, lead, (dilation[0] // gaps[0], dilation[-1] // gaps[1])), gaps


def _constant(weight: Array, work: Transposed, bands: Bands) -> Any:
    """O I/groups KH KW as the kernel has them."""
    dense = weight if bands.groups == 1 else bands.gather(weight)
    return calls.make_constant(pack_phases(work.weights(dense), *bands.lanes))


def _computed(packer: Packer, weight: Any, work: Transposed, bands: Bands) -> Any | None:
    """The same while the model runs; None where lanes would stay empty."""
    shape = (*work.stride, bands.blocks[1], bands.span, *work.own_taps, *bands.lanes)
    if not lanes_are_full(calls.static_shape(weight) or (), shape):
        return None
    return packer.emit(work.computed, weight, shape=shape, bands=bands)


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
