"""Transposed convolutions in phases: which taps of the window each phase of the result takes.

With stride s result y = s · i - p + d · k for data i and tap k. Phase a = y % s takes the taps
k = (a + p) % s + s · t: a convolution with stride 1, and no zero between the data is ever multiplied. Its
last tap meets the first of the data. With stride 1 dilation moves the taps apart; with more, the window is
spread first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import te, tirx

from neo_magics.compiler.kernels.bands import Bands
from neo_magics.compiler.kernels.conv2d import Window
from neo_magics.compiler.kernels.conv2d_tiles import Phases

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Transposed:
    """A transposed convolution with a window of `taps`; all (height, width), `padding` is (top, left).

    Either the strides or the dilations are 1 (`spread_window` sees to that).
    """

    taps: Pair
    stride: Pair
    padding: Pair
    dilation: Pair = (1, 1)

    @property
    def own_taps(self) -> Pair:
        """The taps of a phase; some phases fill them up with zeros."""
        return -(-self.taps[0] // self.stride[0]), -(-self.taps[1] // self.stride[1])

    @property
    def phases(self) -> Phases:
        """Which data each result reads."""
        top, left = ((k - 1) * d for k, d in zip(self.own_taps, self.dilation, strict=True))
        return Phases(Window((1, 1), (top, left, top, left), self.dilation), self.stride, self.padding)

    def tap(self, axis: int, phase: Any, place: Any) -> Any:
        """The tap of the whole window that stands at `place` of a phase's; beyond the window: a zero."""
        stride = self.stride[axis]
        return (phase + self.padding[axis]) % stride + stride * (self.own_taps[axis] - 1 - place)

    def weights(self, weight: Array) -> Array:
        """O I KH KW → [phase, phase, O, I, taps, taps]."""
        parts = np.zeros((*self.stride, *weight.shape[:2], *self.own_taps), weight.dtype)
        for a, b, y, x in np.ndindex(*self.stride, *self.own_taps):
            row, column = self.tap(0, a, y), self.tap(1, b, x)
            if row < self.taps[0] and column < self.taps[1]:
                parts[a, b, :, :, y, x] = weight[:, :, row, column]
        return parts

    def computed(self, weight: Any, shape: Sequence[int], bands: Bands) -> Any:
        """The same at run time: I O/groups KH KW → [phase, phase, O/v, I/b, taps, taps, b, v] of `shape`."""
        inner, outer = bands.widths
        in_lanes, lanes = bands.lanes

        def element(a: Any, b: Any, o: Any, i: Any, y: Any, x: Any, u: Any, v: Any) -> Any:
            channel = o * lanes + v
            group, own = channel // outer, bands.own(o, channel, i * in_lanes + u, tirx.min)
            row, column = self.tap(0, a, y), self.tap(1, b, x)
            inside = tirx.all(
                channel < bands.channels[1], own >= 0, own < inner, row < self.taps[0], column < self.taps[1]
            )
            value = weight[group * inner + own, channel % outer, row, column]
            return tirx.if_then_else(inside, value, tirx.const(0, weight.dtype))

        return te.compute(tuple(shape), element, "phased")


def out_first(weight: Array, groups: int) -> Array:
    """I O/groups KH KW → O I/groups KH KW, as convolutions have them."""
    inner, outer, *taps = weight.shape
    parts = weight.reshape(groups, inner // groups, outer, *taps)
    return np.moveaxis(parts, 2, 1).reshape(groups * outer, inner // groups, *taps)


def spread_window(weight: Array, gaps: Pair) -> Array:
    """The window with zeros between its taps, which are the last two axes: dilated by `gaps`."""
    *lead, height, width = weight.shape
    wide = np.zeros((*lead, (height - 1) * gaps[0] + 1, (width - 1) * gaps[1] + 1), weight.dtype)
    wide[..., :: gaps[0], :: gaps[1]] = weight
    return wide
