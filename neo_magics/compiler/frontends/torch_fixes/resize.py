"""Resizing images: TVM's nearest neighbour takes the wrong pixel at ratios that are not whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax


def nearest(node: Any, importer: Any) -> Any:
    """aten.upsample_nearest{1,2,3}d as a gather along each axis: source index = floor(i · in / out)."""
    return _by_index(node, importer, 0.0)


def nearest_exact(node: Any, importer: Any) -> Any:
    """aten._upsample_nearest_exact{1,2,3}d: source index = floor((i + 0.5) · in / out)."""
    return _by_index(node, importer, 0.5)


def antialiased(node: Any, importer: Any) -> Any:
    """aten._upsample_{bilinear,bicubic}2d_aa as two matrix products. TVM: forgets to smooth.

    PyTorch resizes one axis of the identity, which gives that axis' weights. Two columns of it: of images one
    wide, PyTorch 2.13 itself makes copies of the first row.
    """
    emit = importer.block_builder.emit
    x = importer.env[node.args[0]]
    shapes = importer.shape_of(x), node.meta["val"].shape
    before, after = (_known_sizes(list(shape)[2:]) for shape in shapes)
    factors = [*node.args[3:5], None, None][:2]
    rows, columns = (_weights(node, *each) for each in zip(before, after, factors, strict=True))
    dtype = str(x.ty.dtype)
    tall = emit(relax.op.matmul(relax.const(rows, dtype), x))
    return emit(relax.op.matmul(tall, relax.const(np.ascontiguousarray(columns.T), dtype)))


def _weights(node: Any, before: int, after: int, factor: float | None) -> np.ndarray[Any, Any]:
    """The (after, before) matrix by which the operator resizes one axis."""
    import torch

    identity = torch.eye(before).reshape(1, before, before, 1).repeat(1, 1, 1, 2)
    resized = node.target(identity, [after, 2], node.args[2], factor, None)
    return np.ascontiguousarray(resized[0, :, :, 0].numpy().T)


def bilinear(node: Any, importer: Any) -> Any:
    """aten.upsample_bilinear2d. TVM: needs the sizes of the image."""
    sizes = list(importer.shape_of(importer.env[node.args[0]]))[2:]
    if _are_known([*sizes, *node.meta["val"].shape[2:]]):
        return importer._upsample_bilinear2d(node)
    corners = node.args[2] if len(node.args) > 2 else node.kwargs.get("align_corners", False)
    mode = "align_corners" if corners else "half_pixel"
    factors = _factors(node, 3)
    return _of_free_size(node, importer, factors, method="linear", coordinate_transformation_mode=mode)


def _are_known(sizes: Any) -> bool:
    return all(isinstance(size, int) or hasattr(size, "value") for size in sizes)


def _of_free_size(node: Any, importer: Any, factors: list[float] | None, **options: Any) -> Any:
    """The resizing of a sequence or an image whose sizes are known when the model runs."""
    x, emit = importer.env[node.args[0]], importer.block_builder.emit
    before = list(importer.shape_of(x))
    if factors is None:
        after = list(importer._retrieve_args(node.args[1]))
    elif all(factor == int(factor) for factor in factors):
        after = [size * int(factor) for size, factor in zip(before[2:], factors, strict=True)]
    else:
        raise NotImplementedError("a free height or width is resized by whole factors, or to given sizes")
    if len(after) == 1:
        x, after = emit(relax.op.expand_dims(x, [2])), [1, *after]
    if len(after) != 2:
        raise NotImplementedError("a volume of free size cannot be resized")
    made = emit(relax.op.image.resize2d(x, relax.ShapeExpr(after), layout="NCHW", **options))
    return made if len(before) == 4 else emit(relax.op.squeeze(made, [2]))


def of_known_size(name: str) -> Callable[[Any, Any], Any]:
    """TVM's own converter, which needs the sizes of the image."""

    def convert(node: Any, importer: Any) -> Any:
        _known_sizes(list(importer.shape_of(importer.env[node.args[0]]))[2:])
        return getattr(importer, name)(node)

    return convert


def _known_sizes(sizes: Any) -> list[int]:
    if not _are_known(sizes):
        raise NotImplementedError("an image whose height or width is free cannot be resized")
    return [int(size) for size in sizes]


def _by_index(node: Any, importer: Any, offset: float) -> Any:
    x = importer.env[node.args[0]]
    sizes, factors = importer.shape_of(x), _factors(node)
    target = list(node.meta["val"].shape)
    if not offset and not _are_known([*list(sizes)[2:], *target[2:]]):
        options = {"coordinate_transformation_mode": "asymmetric", "rounding_method": "floor"}
        return _of_free_size(node, importer, factors, method="nearest_neighbor", **options)
    _known_sizes(list(sizes)[2:])
    for axis in range(2, len(target)):
        before, after = int(sizes[axis]), int(target[axis])
        if before == after:
            continue
        ratio = np.float32(1.0 / factors[axis - 2]) if factors else np.float32(before) / np.float32(after)
        positions = np.floor((np.arange(after, dtype=np.float32) + np.float32(offset)) * ratio)
        index = np.minimum(positions.astype("int64"), before - 1)
        x = importer.block_builder.emit(relax.op.take(x, relax.const(index, "int64"), axis))
    return x


def _factors(node: Any, place: int = 2) -> list[float] | None:
    """The scale factors ("vec" overloads, argument `place`), which decide the ratio where they are given."""
    given = node.args[place] if len(node.args) > place else node.kwargs.get("scale_factors")
    if node.args[1:2] and node.args[1] is not None:
        return None
    return [float(factor) for factor in given] if isinstance(given, list | tuple) else None


_SMOOTH = ("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
_DIMENSIONS = (1, 2, 3)
CONVERTERS = {
    **{f"upsample_nearest{n}d.vec": nearest for n in _DIMENSIONS},
    **{f"upsample_nearest{n}d.default": nearest for n in _DIMENSIONS},
    **{f"_upsample_nearest_exact{n}d.vec": nearest_exact for n in _DIMENSIONS},
    **{f"_upsample_nearest_exact{n}d.default": nearest_exact for n in _DIMENSIONS},
    **{f"{name}.default": antialiased for name in _SMOOTH},
    "upsample_bilinear2d.vec": bilinear,
    "upsample_bicubic2d.vec": of_known_size("_upsample_bicubic2d"),
}
