"""Weights that a model computes while it runs are arranged then, as constant ones are ahead of time.

Networks whose style, router or exemplar makes the weights: StyleGAN2's modulation (Karras et al., CVPR 2020),
CondConv (Yang et al., NeurIPS 2019), the cross-correlation of SiamRPN++ (Li et al., CVPR 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import te, tirx

from neo_magics.compiler.kernels.bands import Bands

_LEAST_FULL = 0.5  # of the products on real channels; below, the rule for any loop nest is as fast


def lanes_are_full(weight: Sequence[int], shape: Sequence[int]) -> bool:
    """Whether weights of two axes of channels and a window fill the arranged `shape`, [… O/v I/b H W b v]."""
    out_blocks, in_blocks, _height, _width, in_lanes, lanes = shape[-6:]
    return weight[0] * weight[1] >= _LEAST_FULL * out_blocks * in_blocks * in_lanes * lanes


def arrange_weights(weight: Any, *, shape: Sequence[int], bands: Bands | None = None) -> Any:
    """O I/groups H W → [1 1] O/v I/b H W b v of `shape`, zero beyond the channels and outside a group.

    `bands`: with groups, which blocks of the data a block of the result reads (`Bands.gather` at run time).
    """
    out, inner = int(weight.shape[0]), int(weight.shape[1])
    in_lanes, lanes = shape[-2:]

    def element(*place: Any) -> Any:
        block, in_block, y, x, b, v = place[-6:]
        channel, own = block * lanes + v, in_block * in_lanes + b
        if bands is not None:
            own = bands.own(block, channel, own, tirx.min)
        inside = tirx.all(channel < out, own >= 0, own < inner)
        return tirx.if_then_else(inside, weight[channel, own, y, x], tirx.const(0, weight.dtype))

    return te.compute(tuple(shape), element, "arranged")


def arrange_filters(weight: Any, *, lanes: int) -> Any:
    """C 1 H W → C/v H W v, filled up with zeros: a filter for each channel."""
    channels, _one, height, width = (int(size) for size in weight.shape)

    def element(block: Any, y: Any, x: Any, v: Any) -> Any:
        channel = block * lanes + v
        zero = tirx.const(0, weight.dtype)
        return tirx.if_then_else(channel < channels, weight[channel, 0, y, x], zero)

    return te.compute((-(-channels // lanes), height, width, lanes), element, "filters")


def moved_weights(weight: Any, *, rows: int, columns: int) -> Any:
    """O I H W → [O · rows · columns, I, H + rows - 1, W + columns - 1]: a patch's pixels."""
    channels, inner, height, width = (int(size) for size in weight.shape)
    shape = (channels * rows * columns, inner, height + rows - 1, width + columns - 1)

    def element(o: Any, i: Any, y: Any, x: Any) -> Any:
        row, column = y - o // columns % rows, x - o % columns
        inside = tirx.all(row >= 0, row < height, column >= 0, column < width)
        value = weight[o // (rows * columns), i, row, column]
        return tirx.if_then_else(inside, value, tirx.const(0, weight.dtype))

    return te.compute(shape, element, "moved")
