"""Maximum and average pooling become kernels of our own on packed channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.pooling import average_pool, max_pool
from neo_magics.compiler.kernels.tiles import register_tile, tile_with_tail
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.packable_moves import is_image

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer

LARGEST = 128  # elements of a window that is written out; larger ones are left to TVM's operator


def pool(packer: Packer, call: Any) -> Any | None:
    """max_pool2d and avg_pool2d of packed float32 data with windows of moderate size, else None."""
    shape, source = calls.shape_of(call), calls.shape_of(call.args[0])
    data, attrs = packer.packed(call.args[0]), call.attrs
    known = shape is not None and source is not None
    if data is None or not known or (attrs.layout, calls.dtype_of(call)) != ("NCHW", "float32"):
        return None
    return _of_known_size(packer, call, data) if is_image(call) else _free(packer, call, data)


def _of_known_size(packer: Packer, call: Any, data: Any) -> Any | None:
    shape, source, attrs = calls.shape_of(call) or (), calls.shape_of(call.args[0]) or (), call.attrs
    kernel, window = _pair(attrs.pool_size), _window(attrs)
    if kernel[0] * kernel[1] > LARGEST:
        return None
    out = (int(shape[2]), int(shape[3]))
    tile = register_tile(out[1], 1, packer.machine)
    options: dict[str, Any] = {"window": window, "size": kernel, "out": out, "tile": tile, "fuses": True}
    if calls.name_of(call) == "relax.nn.max_pool2d":
        return packer.keep(packer.emit(max_pool, data, **options), int(shape[1]))
    counts = _counts((int(source[2]), int(source[3])), out, kernel, window)
    whole = counts == kernel[0] * kernel[1]
    if attrs.count_include_pad:
        if attrs.ceil_mode and not whole.all():
            return None  # how far the last windows reach counts: TVM's operator knows
        scale = []
    else:
        scale = [] if whole.all() else [calls.make_constant((1 / counts).astype("float32"))]
    return packer.keep(packer.emit(average_pool, data, *scale, **options), int(shape[1]))


def _free(packer: Packer, call: Any, data: Any) -> Any | None:
    """Of an image of free size: a maximum, or a mean of windows that are all inside."""
    attrs, kernel, window = call.attrs, _pair(call.attrs.pool_size), _window(call.attrs)
    largest = calls.name_of(call) == "relax.nn.max_pool2d"
    whole = not any(window.padding) or attrs.count_include_pad
    if kernel[0] * kernel[1] > LARGEST or not (largest or (whole and not attrs.ceil_mode)):
        return None
    out = packer.named(call)
    tile = tile_with_tail(packer.sizes.typical(out[1]), 1, packer.machine)
    pooled = max_pool if largest else average_pool
    made = packer.emit(pooled, data, fuses=True, sizes={"out": out}, window=window, size=kernel, tile=tile)
    return packer.keep(made, int((calls.shape_of(call) or ())[1]))


def _counts(
    size: tuple[int, int], out: tuple[int, int], kernel: tuple[int, int], window: Window
) -> calls.Array:
    """How many elements of the image each window covers, at least one."""
    along = []
    for axis in (0, 1):
        first = np.arange(out[axis])[:, None] * window.stride[axis] - window.padding[axis]
        places = first + np.arange(kernel[axis])[None, :] * window.dilation[axis]
        along.append(((places >= 0) & (places < size[axis])).sum(1))
    counts: calls.Array = np.maximum(along[0][:, None] * along[1][None, :], 1)
    return counts


def _pair(values: Any) -> tuple[int, int]:
    found = calls.numbers(values)
    return found[0], found[-1]


def _window(attrs: Any) -> Window:
    pad = calls.numbers(attrs.padding)
    top, left, bottom, right = pad if len(pad) == 4 else (*pad, *pad) if len(pad) == 2 else pad * 4
    return Window(_pair(attrs.strides), (top, left, bottom, right), _pair(attrs.dilation))
