"""How a window moves along the frames of a volume, and which frames it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array


@dataclass(frozen=True)
class Depth:
    """A window of `taps` frames; `padding` is (front, back)."""

    taps: int
    stride: int
    dilation: int
    padding: tuple[int, int]


def depth_of(attrs: Any, taps: int) -> Depth:
    """The first of three axes of a convolution or pooling."""
    padding = calls.numbers(attrs.padding)
    return Depth(int(taps), int(attrs.strides[0]), int(attrs.dilation[0]), (padding[0], padding[3]))


def frames_out(depth: Depth, frames: int) -> int:
    """Frames of the result, rounded down."""
    return (frames + sum(depth.padding) - (depth.taps - 1) * depth.dilation - 1) // depth.stride + 1


def frames_read(depth: Depth, batch: int, frames: int, *, repeat: bool) -> list[Array]:
    """For each tap, which of batch · frames images each image of the result reads.

    batch · frames stands for none, beyond the ends; `repeat`: the nearest that the window reads instead.
    """
    first = np.arange(frames_out(depth, frames)) * depth.stride - depth.padding[0]
    every = first + np.arange(depth.taps)[:, None] * depth.dilation
    inside = (every >= 0) & (every < frames)
    if repeat:
        low = np.where(inside, every, frames).min(axis=0)
        high = np.where(inside, every, -1).max(axis=0)
        every, inside = np.clip(every, low, high), np.ones_like(inside)
    places = np.arange(batch)[:, None, None] * frames + every  # batch, taps, frames
    places = np.where(inside, places, batch * frames)
    return [places[:, tap].reshape(-1) for tap in range(depth.taps)]
