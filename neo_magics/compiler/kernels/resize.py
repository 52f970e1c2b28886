"""Bilinear resizing, of packed channels at once, of others along one axis and then along the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import te, tirx

from neo_magics.compiler.kernels.arithmetic import float32

Array = np.ndarray[Any, Any]


def axis_weights(before: int, after: int, mode: str) -> tuple[Array, Array, Array] | None:
    """For each result along one axis: two neighbours, and the weight of the second. None: unknown mode."""
    place = np.arange(after, dtype=np.float32)
    ratio = np.float32(before) / np.float32(after)
    if mode == "align_corners":
        source = place * (np.float32(before - 1) / np.float32(max(after - 1, 1)))
    elif mode == "asymmetric":
        source = place * ratio
    elif mode == "half_pixel" or (mode == "pytorch_half_pixel" and after > 1):
        source = (place + np.float32(0.5)) * ratio - np.float32(0.5)
    else:
        return None
    source = np.clip(source, 0, before - 1).astype("float32")
    low = np.floor(source).astype("int32")
    return low, np.minimum(low + 1, before - 1).astype("int32"), (source - low).astype("float32")


def nearer(*, sizes: Sequence[Any], mode: str) -> Any:
    """For each result along an axis of `sizes` (before, after), perhaps free: the element at or before it."""
    source, last = _sources(sizes, mode), tirx.Cast("int32", sizes[0] - 1)
    return te.compute(source.shape, lambda y: tirx.min(tirx.Cast("int32", source[y]), last), "nearer")


def farther(*, sizes: Sequence[Any], mode: str) -> Any:
    """The element after that, if there is one."""
    first, last = nearer(sizes=sizes, mode=mode), tirx.Cast("int32", sizes[0] - 1)
    return te.compute(first.shape, lambda y: tirx.min(first[y] + 1, last), "farther")


def share(*, sizes: Sequence[Any], mode: str) -> Any:
    """The weight of the farther one."""
    source, first = _sources(sizes, mode), nearer(sizes=sizes, mode=mode)
    return te.compute(source.shape, lambda y: source[y] - tirx.Cast("float32", first[y]), "share")


def _sources(sizes: Sequence[Any], mode: str) -> Any:
    """Where each result lies among the elements before; float32, as `axis_weights` counts."""
    before, after = sizes
    size, count = tirx.Cast("float32", before), tirx.Cast("float32", after)
    one, half = float32(1.0), float32(0.5)

    def source(y: Any) -> Any:
        place = tirx.Cast("float32", y)
        if mode == "align_corners":
            return place * ((size - one) / tirx.max(count - one, one))
        if mode == "asymmetric":
            return place * (size / count)
        return tirx.max((place + half) * (size / count) - half, float32(0.0))

    return te.compute((after,), source, "source")


def resize_nearest(data: Any, rows: Any, columns: Any) -> Any:
    """N C H W or N C/v H W v → those rows and columns."""
    batch, channels, _height, _width, *lanes = data.shape

    def element(n: Any, c: Any, y: Any, x: Any, *lane: Any) -> Any:
        return data[(n, c, rows[y], columns[x], *lane)]

    shape = (batch, channels, rows.shape[0], columns.shape[0], *lanes)
    return te.compute(shape, element, "resized")


def resize_bilinear(data: Any, top: Any, bottom: Any, down: Any, left: Any, right: Any, across: Any) -> Any:
    """N C/v H W v → the sizes of the tables: rows `top` and `bottom` mixed by `down`, columns likewise."""
    batch, blocks, _height, _width, lanes = data.shape

    def element(n: Any, c: Any, y: Any, x: Any, v: Any) -> Any:
        def row(index: Any) -> Any:
            first, second = data[n, c, index, left[x], v], data[n, c, index, right[x], v]
            return first + (second - first) * across[x]

        upper, lower = row(top[y]), row(bottom[y])
        return upper + (lower - upper) * down[y]

    return te.compute((batch, blocks, top.shape[0], left.shape[0], lanes), element, "resized")


def mix_columns(data: Any, left: Any, right: Any, across: Any) -> Any:
    """N C H W → N C H and the length of the tables: columns `left` and `right` mixed by `across`."""

    def element(n: Any, c: Any, y: Any, x: Any) -> Any:
        first, second = data[n, c, y, left[x]], data[n, c, y, right[x]]
        return first + (second - first) * across[x]

    return te.compute((*data.shape[:3], left.shape[0]), element, "mixed")


def mix_rows(data: Any, top: Any, bottom: Any, down: Any) -> Any:
    """N C H W → N C, the length of the tables, W: rows `top` and `bottom` mixed by `down`."""

    def element(n: Any, c: Any, y: Any, x: Any) -> Any:
        upper, lower = data[n, c, top[y], x], data[n, c, bottom[y], x]
        return upper + (lower - upper) * down[y]

    return te.compute((*data.shape[:2], top.shape[0], data.shape[3]), element, "resized")
