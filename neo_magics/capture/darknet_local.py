"""Darknet's local layers: convolutions with weights of their own for each place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neo_magics.capture.darknet_cfg import Section, Weights
from neo_magics.capture.onnx_build import GraphMaker
from neo_magics.errors import InputError

if TYPE_CHECKING:
    from neo_magics.capture.darknet_graph import Value


def local_sums(
    maker: GraphMaker, weights: Weights, layer: Section, x: Value
) -> tuple[str, tuple[int, int, int]]:
    """The sums [batch, filters, height, width], and their sizes without the batch.

    Each place has a product of its own: its window [channels · size · size] with a matrix.
    """
    filters, size, stride = (layer.whole(key, 1) for key in ("filters", "size", "stride"))
    pad = layer.whole("pad", 0)
    if pad and size != 3:
        raise InputError(
            f"Layer {layer.name} is padded with size={size}, of which Darknet's own sizes do not fit.",
            hint="Give size=3, or pad=0.",
        )
    reach = 1 if pad else size
    height, width = ((sides - reach) // stride + 1 for sides in (x.height, x.width))
    places = height * width
    bias = weights.take(layer.name, filters, height, width)
    matrices = weights.take(layer.name, places, filters, x.channels * size * size)
    padded = maker.add("Pad", x.name, maker.constant([0, 0, pad, pad] * 2)) if pad else x.name
    windows = _windows(maker, padded, (size, stride), (height, width))  # [batch, channels, size², h, w]
    flat = maker.add("Reshape", windows, maker.constant([0, x.channels * size * size, places]))
    each = maker.add("Transpose", flat, perm=[2, 0, 1])
    product = maker.add("MatMul", each, maker.constant(np.ascontiguousarray(matrices.transpose(0, 2, 1))))
    made = maker.add("Transpose", product, perm=[1, 2, 0])
    made = maker.add("Reshape", made, maker.constant([0, filters, height, width]))
    return str(maker.add("Add", made, maker.constant(bias[None]))), (filters, height, width)


def _windows(maker: GraphMaker, x: str, window: tuple[int, int], sizes: tuple[int, int]) -> str:
    """Every place's neighbours, as pictures that are moved against each other."""
    (size, stride), parts = window, []
    for down, right in np.ndindex(size, size):
        starts = [down, right]
        ends = [first + (count - 1) * stride + 1 for first, count in zip(starts, sizes, strict=True)]
        numbers = map(maker.constant, (starts, ends, [2, 3], [stride, stride]))
        parts.append(maker.add("Unsqueeze", maker.add("Slice", x, *numbers), maker.constant([2])))
    return str(maker.add("Concat", *parts, axis=2)) if len(parts) > 1 else str(parts[0])
