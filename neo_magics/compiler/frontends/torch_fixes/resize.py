"""Resizing images: TVM's nearest neighbour takes the wrong pixel at ratios that are not whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax


def nearest(node: Any, importer: Any) -> Any:
    """aten.upsample_nearest{1,2,3}d as a gather along each axis: source index = floor(i · in / out)."""
    return _by_index(node, importer, 0.0)


def nearest_exact(node: Any, importer: Any) -> Any:
    """aten._upsample_nearest_exact{1,2,3}d: source index = floor((i + 0.5) · in / out)."""
    return _by_index(node, importer, 0.5)


def _by_index(node: Any, importer: Any, offset: float) -> Any:
    x = importer.env[node.args[0]]
    sizes, factors = importer.shape_of(x), _factors(node)
    target = list(node.meta["val"].shape)
    for axis in range(2, len(target)):
        before, after = int(sizes[axis]), int(target[axis])
        if before == after:
            continue
        ratio = np.float32(1.0 / factors[axis - 2]) if factors else np.float32(before) / np.float32(after)
        positions = np.floor((np.arange(after, dtype=np.float32) + np.float32(offset)) * ratio)
        index = np.minimum(positions.astype("int64"), before - 1)
        x = importer.block_builder.emit(relax.op.take(x, relax.const(index, "int64"), axis))
    return x


def _factors(node: Any) -> list[float] | None:
    """The scale factors, which decide the ratio where they are given ("vec" overloads)."""
    given = node.args[2] if len(node.args) > 2 else node.kwargs.get("scale_factors")
    if node.args[1:2] and node.args[1] is not None:
        return None
    return [float(factor) for factor in given] if isinstance(given, list | tuple) else None


_DIMENSIONS = (1, 2, 3)
CONVERTERS = {
    **{f"upsample_nearest{n}d.vec": nearest for n in _DIMENSIONS},
    **{f"upsample_nearest{n}d.default": nearest for n in _DIMENSIONS},
    **{f"_upsample_nearest_exact{n}d.vec": nearest_exact for n in _DIMENSIONS},
    **{f"_upsample_nearest_exact{n}d.default": nearest_exact for n in _DIMENSIONS},
}
