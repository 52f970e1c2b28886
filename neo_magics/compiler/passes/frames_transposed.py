"""Transposed convolutions of volumes as those of images, for FramesAsImages.

With a stride of s along the depth, every s-th frame of the result reads frames of the data by the same taps.
Those frames become the channels of one image, as for a plain convolution; frames of the result that read the
same ones become its result's channels (all of them, where the window is as deep as the stride).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from tvm import relax

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array


class Framer(Protocol):
    """What of FramesAsImages is needed here."""

    builder_: Any

    def as_images(self, value: Any) -> Any: ...

    def bordered(self, images: Any, front: int, back: int) -> Any: ...


def transposed_convolution(framer: Framer, call: Any) -> Any | None:
    """The images of conv3d_transpose(x, w) with constant float32 weights, undilated and in one group."""
    attrs, weight = call.attrs, calls.constant(call.args[1])
    shape, made = calls.static_shape(call.args[0]), calls.static_shape(call)
    layouts = (attrs.data_layout, attrs.kernel_layout, attrs.out_layout)
    if weight is None or weight.dtype != np.float32 or shape is None or made is None:
        return None
    if layouts != ("NCDHW", "IODHW", "NCDHW") or int(attrs.groups) != 1 or set(attrs.dilation) != {1}:
        return None
    stride, front = int(attrs.strides[0]), int(attrs.padding[0])
    reads = frames_by_phase(weight.shape[2], stride, front)
    if () in reads:  # frames that nothing reaches
        return None
    count = -(-made[2] // stride)
    images, batch = framer.as_images(call.args[0]), shape[0]
    parts = [
        _phases(framer, images, call, _weights(weight, offsets, phases, stride, front), offsets, count)
        for offsets, phases in reads.items()
    ]
    emit, [height, width] = framer.builder_.emit, made[3:]
    parted = [emit(relax.op.reshape(part, [batch, count, -1, height, width])) for part in parts]
    joined = emit(relax.op.concat(parted, 2)) if len(parts) > 1 else parted[0]
    frames = emit(relax.op.reshape(joined, [batch, count * stride, made[1], height, width]))
    if count * stride != made[2]:
        frames = emit(relax.op.strided_slice(frames, [1], [0], [made[2]]))
    return relax.op.reshape(frames, [batch * made[2], made[1], height, width])


def frames_by_phase(taps: int, stride: int, front: int) -> dict[tuple[int, ...], list[int]]:
    """{the frames read, counted from frame j: the phases r for which frame stride · j + r reads those}."""
    found: dict[tuple[int, ...], list[int]] = {}
    for phase in range(stride):
        steps = [phase + front - tap for tap in range(taps)]
        offsets = tuple(step // stride for step in steps if step % stride == 0)
        found.setdefault(offsets, []).append(phase)
    return found


def _weights(
    weight: Array, offsets: Sequence[int], phases: Sequence[int], stride: int, front: int
) -> Array:  # fmt: skip
    """[I, O, D, H, W] → [offsets · I, phases · O, H, W]."""
    rows = [
        np.concatenate([weight[:, :, phase + front - offset * stride] for phase in phases], axis=1)
        for offset in offsets
    ]
    return np.ascontiguousarray(np.concatenate(rows, axis=0))


def _phases(
    framer: Framer, images: Any, call: Any, weight: Array, offsets: Sequence[int], count: int
) -> Any:  # fmt: skip
    """Some phases of all frames: [N · count, phases · O, H, W]."""
    batch, _channels, frames = (calls.static_shape(call.args[0]) or ())[:3]
    emit, read = framer.builder_.emit, [
        _frames(framer, images, (batch, frames), offset, count) for offset in offsets
    ]  # fmt: skip
    joined = emit(relax.op.concat(read, 1)) if len(read) > 1 else read[0]
    _front, top, left, _back, bottom, right = calls.numbers(call.attrs.padding)
    window: Mapping[str, Any] = {
        name: calls.numbers(getattr(call.attrs, name))[1:] for name in ("strides", "output_padding")
    }
    made = relax.op.nn.conv2d_transpose(
        joined, calls.make_constant(weight), padding=[top, left, bottom, right], **window
    )
    return emit(made)


def _frames(framer: Framer, images: Any, sizes: tuple[int, int], offset: int, count: int) -> Any:
    """For frame j of `count` frame j + `offset` of the data, zeros beyond its ends."""
    batch, frames = sizes
    if offset == 0 and count == frames:
        return images
    every = np.arange(count) + offset
    inside = (every >= 0) & (every < frames)
    places = np.where(inside, np.arange(batch)[:, None] * frames + every, batch * frames).reshape(-1)
    if not inside.all():
        images = framer.bordered(images, 0, 1)
    return framer.builder_.emit(
        relax.op.take(images, calls.make_constant(places), axis=0, mode="clip")
    )  # fmt: skip
