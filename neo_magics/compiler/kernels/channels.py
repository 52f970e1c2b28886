"""What moves packed channels about: N C/v H W v in, N C/v H W v out."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

from tvm import te, tirx, topi

from neo_magics.compiler.kernels import KERNEL, TILE

JOIN = "join"
JOINS_BLOCKS = "neo_joins_blocks"  # the attribute of a kernel that is nothing but a join of whole blocks
SCALE = "scale"


def scale_channels(image: Any, gate: Any) -> Any:
    """image · gate, one factor per channel.

    A kernel of its own, so that what computes the gate is not repeated for each pixel.
    """

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        return image[n, c, y, x, v] * gate[n, c, 0, 0, v]

    return te.compute(image.shape, element, "scaled", attrs={KERNEL: SCALE})


def join_blocks(*parts: Any) -> Any:
    """Whole blocks of channels of all parts one after the other."""
    return topi.concatenate(parts, axis=1)


def join_channels(*parts: Any, channels: Sequence[int]) -> Any:
    """Channels of all parts one after the other; part i has channels[i], which need not fill its blocks.

    Runs of `TILE` lanes come from one part, so they are copied as vectors.
    """
    batch, _blocks, height, width, lanes = parts[0].shape
    lanes, total = int(lanes), sum(channels)
    starts = [sum(channels[:index]) for index in range(len(channels))]
    run = gcd(lanes, *channels[:-1]) if channels[1:] else lanes

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        channel = c * lanes + v
        value = tirx.const(0, parts[0].dtype)
        for part, start, count in reversed(list(zip(parts, starts, channels, strict=True))):
            own = channel - start
            taken = part[n, own // lanes, y, x, own % lanes]
            value = tirx.if_then_else(channel < start + count, taken, value)
        return value

    shape = (batch, -(-total // lanes), height, width, lanes)
    return te.compute(shape, element, "join", attrs={KERNEL: JOIN, TILE: [run]})
