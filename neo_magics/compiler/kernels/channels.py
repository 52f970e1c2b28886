"""What moves packed channels about: N C/v H W v in, N C/v H W v out."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

from tvm import te, tirx, topi

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.sizes import is_one

JOIN = "join"
JOINS_BLOCKS = "neo_joins_blocks"  # the attribute of a kernel that is nothing but a join of whole blocks
SCALE = "scale"


def scale_channels(image: Any, gate: Any) -> Any:
    """image · gate, one factor per channel; a gate may be one for all images.

    A kernel of its own, so that what computes the gate is not repeated for each pixel.
    """

    one = is_one(gate.shape[0])

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        return image[n, c, y, x, v] * gate[0 if one else n, c, 0, 0, v]

    return te.compute(image.shape, element, "scaled", attrs={KERNEL: SCALE})


def image_variance(image: Any, mean: Any) -> Any:
    """The mean of (image - mean)² over height and width for each channel; N C/v 1 1 v, as `mean` is."""
    batch, blocks, height, width, lanes = image.shape
    y, x = te.reduce_axis((0, height), "y"), te.reduce_axis((0, width), "x")

    def square(n: Any, c: Any, v: Any) -> Any:
        apart = image[n, c, y, x, v] - mean[n, c, 0, 0, v]
        return apart * apart

    shape = (batch, blocks, 1, 1, lanes)
    total = te.compute(shape, lambda n, c, _y, _x, v: te.sum(square(n, c, v), [y, x]), "squares")
    pixels = tirx.Cast("float32", height * width)
    return te.compute(shape, lambda *place: total[place] / pixels, "variance")


def group_factors(mean: Any, variance: Any, scale: Any, size: int, epsilon: float) -> list[Any]:
    """For each channel the mean of its group of `size` channels, and scale / √(variance + epsilon).

    `mean` and `variance` are those of the channels' own images, N C/v 1 1 v like the results. A group's
    variance is the mean of its channels' variances and of the squared distances between their means and the
    group's: no difference of large squares.
    """
    lanes = int(mean.shape[4])

    def average(value: Any, name: str) -> Any:
        k = te.reduce_axis((0, size), "k")

        def element(n: Any, c: Any, _y: Any, _x: Any, v: Any) -> Any:
            channel = (c * lanes + v) // size * size + k
            return te.sum(
                value(n, c, channel // lanes, channel % lanes, v) * tirx.const(1 / size, "float32"), k
            )

        return te.compute(mean.shape, element, name)

    middle = average(lambda n, _c, block, lane, _v: mean[n, block, 0, 0, lane], "middle")

    def spread(n: Any, c: Any, block: Any, lane: Any, v: Any) -> Any:
        apart = mean[n, block, 0, 0, lane] - middle[n, c, 0, 0, v]
        return variance[n, block, 0, 0, lane] + apart * apart

    whole = average(spread, "whole")

    def factor(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        return scale[0, c, 0, 0, v] / tirx.sqrt(whole[n, c, y, x, v] + tirx.const(epsilon, "float32"))

    return [middle, te.compute(mean.shape, factor, "factor")]


def first_pixels(data: Any, *, size: Sequence[Any]) -> Any:
    """The rows and columns of N C/v H W v that are within `size` (height, width)."""
    batch, blocks, _height, _width, lanes = data.shape
    return te.compute((batch, blocks, *size, lanes), lambda *place: data[place], "cropped")


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
