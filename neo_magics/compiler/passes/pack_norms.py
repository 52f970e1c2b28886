"""Instance and group normalisation of packed channels: nothing is unpacked but a few numbers per channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import relax

from neo_magics.compiler.kernels import OPAQUE
from neo_magics.compiler.kernels.channels import group_factors, image_variance
from neo_magics.compiler.passes import calls

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer


def instance_norm(packer: Packer, call: Any) -> Any | None:
    """(x - mean) · scale + shift with the mean and variance of each channel's image, else None."""
    return _normalised(packer, call, groups=None)


def group_norm(packer: Packer, call: Any) -> Any | None:
    """As instance_norm, over groups of channels; the channels must fill whole blocks."""
    groups, shape = int(call.attrs.num_groups), calls.shape_of(call)
    alone = shape is not None and groups == shape[1]
    return _normalised(packer, call, groups=None if alone else groups)


def _normalised(packer: Packer, call: Any, groups: int | None) -> Any | None:
    shape, data = calls.shape_of(call), packer.packed(call.args[0])
    scale, shift = (calls.constant(each) for each in call.args[1:3])
    if data is None or shape is None or scale is None or shift is None:
        return None
    if len(shape) != 4 or not is_over_images(call, shape):
        return None
    channels = int(shape[1])
    if groups is not None and channels % packer.lanes:
        return None
    emit = packer.builder_.emit
    mean = emit(relax.op.mean(data, [2, 3], keepdims=True))
    variance = packer.emit(image_variance, data, mean)
    operands = mean, variance, _per_channel(packer, scale)
    size, epsilon = channels // (groups or channels), float(call.attrs.epsilon)
    both = packer.emit(group_factors, *operands, pattern=OPAQUE, size=size, epsilon=epsilon)
    middle, factor = (emit(relax.TupleGetItem(both, index)) for index in (0, 1))
    centred = emit(relax.op.multiply(emit(relax.op.subtract(data, middle)), factor))
    return packer.keep(relax.op.add(centred, _per_channel(packer, shift)), channels)


def is_over_images(call: Any, shape: Any) -> bool:
    """Whether all axes behind N and C are averaged, and nothing else; a batch of one may be named too."""
    attrs, rank = call.attrs, len(shape)
    axes = {axis % rank for axis in calls.numbers(attrs.axes)} - ({0} if shape[0] == 1 else set())
    over = axes == set(range(2, rank)) and attrs.channel_axis in (None, 1)
    return bool(over and attrs.center and attrs.scale)


def _per_channel(packer: Packer, array: Any) -> Any:
    filled = np.pad(array.reshape(-1), (0, -array.size % packer.lanes))
    return calls.make_constant(filled.reshape(1, -1, 1, 1, packer.lanes))
