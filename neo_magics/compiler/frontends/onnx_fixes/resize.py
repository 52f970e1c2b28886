"""Resize and Upsample in all their forms.

TVM: resizes the last axes of images of 3 to 5 axes; it fails for other axes, antialiasing and a kept aspect
ratio, and rounds sizes that scales do not divide before it aligns corners.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm_ffi
from tvm import relax, te

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Axis:
    """How one axis is resized: `size` elements to `out`, by `scale`; `roi` is the part that is kept."""

    size: int
    out: int
    scale: float
    roi: tuple[float, float]


def _resize(node: Node) -> Any:
    if node.opset < 11:
        return _upsample(node)
    shape = shape_of(node.tensor(0))
    chosen = node.attribute("axes") or list(range(len(shape)))
    axes = [normal_axis(int(axis), len(shape)) for axis in chosen]
    free = [place for place, axis in enumerate(axes) if not isinstance(shape[axis], int)]
    if free and not _stay(node, shape, axes, free):
        return _enlarged(node, shape)
    places = [place for place in range(len(axes)) if place not in free]
    plans = _plans(node, [shape[axes[place]] for place in places], places)
    if _by_tvm_is_right(node, plans) and len(plans) == len(shape) and _is_image(plans):
        return None
    by_axis = dict(zip((axes[place] for place in places), plans, strict=True))
    return _resized(node, by_axis, node.attributes)


def _stay(node: Node, shape: Sequence[Any], axes: Sequence[int], free: Sequence[int]) -> bool:
    """Whether the free ones among the chosen axes keep their size, a batch for instance."""
    if node.attribute("coordinate_transformation_mode") == "tf_crop_and_resize":
        return False
    if not node.has(3):
        scales = node.known(2, "scales")
        return all(scales[place] == 1 for place in free)
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        return False
    wanted = node.sizes(3, "sizes")
    return all(tvm_ffi.structural_equal(wanted[place], shape[axes[place]]) for place in free)


def _enlarged(node: Node, shape: Sequence[Any]) -> Any:
    """An image of free sizes, each made so many times as large.

    TVM: gives the result a size that is computed in floats, which its virtual machine cannot; it cannot
    interpolate between free sizes unless by halves of pixels.
    """
    whole = node.has(2) and not node.has(3) and all(scale == int(scale) for scale in node.known(2, "scales"))
    halves = "half_pixel" in node.attribute("coordinate_transformation_mode", "half_pixel")
    plain = _by_tvm_is_right(node, []) and (halves or node.attribute("mode", "nearest") == "nearest")
    if not (whole and plain and len(shape) == 4):
        raise node.unsupported("along a free dimension, unless by a whole number and half pixels")
    sizes = [size * int(scale) for size, scale in zip(shape, node.known(2, "scales"), strict=True)]
    if not all(tvm_ffi.structural_equal(*pair) for pair in zip(sizes[:2], shape[:2], strict=True)):
        raise node.unsupported("along its batch or its channels")
    mode = node.attribute("mode", "nearest")
    return relax.op.image.resize2d(
        node.tensor(0),
        size=relax.ShapeExpr(sizes[2:]),
        layout="NCHW",
        method="nearest_neighbor" if mode == "nearest" else mode,
        coordinate_transformation_mode=node.attribute("coordinate_transformation_mode", "half_pixel"),
        rounding_method=node.attribute("nearest_mode", "round_prefer_floor"),
        cubic_alpha=node.attribute("cubic_coeff_a", -0.75),
    )


def _upsample(node: Node) -> Any:
    """Upsample, and Resize of opset 10: nearest takes the floor, coordinates are scaled from the corner."""
    scales = node.attributes.get("scales") or node.known(1, "scales")
    shape = shape_of(node.tensor(0))
    if not all(isinstance(size, int) for size in shape):
        raise node.unsupported("along a free dimension")
    plans = {
        axis: _Axis(size, math.floor(size * scale), scale, (0.0, 1.0))
        for axis, (size, scale) in enumerate(zip(shape, scales, strict=True))
    }
    mode = node.attribute("mode", "nearest").replace("bilinear", "linear")
    settings = {
        "mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor",
    }  # fmt: skip
    return _resized(node, plans, settings)


def _by_tvm_is_right(node: Node, plans: Sequence[_Axis]) -> bool:
    if any(node.attributes.get(name) for name in ("axes", "antialias", "exclude_outside")):
        return False
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        return False
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    exact = all(plan.size * plan.scale == plan.out for plan in plans)
    return exact and mode in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")


def _is_image(plans: Sequence[_Axis]) -> bool:
    return len(plans) in (3, 4, 5) and all(plan.size == plan.out for plan in plans[:2])


def _plans(node: Node, sizes: Sequence[int], places: Sequence[int]) -> list[_Axis]:
    """What happens to the axes of these sizes, which are at these `places` among the chosen ones."""
    count = len(sizes)
    crops = node.attribute("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    roi = node.known(1, "a region") if crops and node.has(1) else [0.0] * count + [1.0] * count
    regions = [(float(roi[k]), float(roi[k + count])) for k in range(count)]
    given = node.sizes(3, "sizes") if node.has(3) else []
    wanted = [int(given[place]) for place in places] if given else []
    if not wanted:
        known = node.known(2, "scales")
        scales = [float(known[place]) for place in places]
        return [
            _Axis(size, math.floor(size * scale), scale, region)
            for size, scale, region in zip(sizes, scales, regions, strict=True)
        ]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    ratios = [out / size for out, size in zip(wanted, sizes, strict=True)]
    if policy != "stretch":
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        ratios = [ratio] * count
        wanted = [math.floor(size * ratio + 0.5) for size in sizes]
    return [_Axis(*each) for each in zip(sizes, wanted, ratios, regions, strict=True)]


def _resized(node: Node, plans: dict[int, _Axis], settings: Any) -> Any:
    """One axis after the other, each by its own taps and weights."""
    x = node.tensor(0)
    dtype, mode = dtype_of(x), settings.get("mode", "nearest")
    crops = settings.get("coordinate_transformation_mode") == "tf_crop_and_resize"
    x = x if mode == "nearest" or "float" in dtype else cast(node, x, "float32")
    outside: dict[int, Array] = {}
    for axis, plan in plans.items():
        places = _coordinates(plan, settings.get("coordinate_transformation_mode", "half_pixel"))
        if crops:
            outside[axis] = (places < 0) | (places > plan.size - 1)
        if plan.size == plan.out and np.array_equal(places, np.arange(plan.size)):
            continue
        if mode == "nearest":
            index = np.clip(
                _nearest(places, settings.get("nearest_mode", "round_prefer_floor")), 0, plan.size - 1
            )
            x = node.emit(relax.op.take(x, constant(index.astype("int64")), axis, mode="clip"))
        else:
            x = _weighted(node, x, axis, *_taps(places, plan, mode, settings))
    if crops and any(rows.any() for rows in outside.values()):
        x = _extrapolated(node, x, outside, float(settings.get("extrapolation_value", 0.0)))
    return cast(node, x, dtype)


def _coordinates(plan: _Axis, mode: str) -> Array:
    """Where each element of the result lies in the input."""
    at, size, scale = np.arange(plan.out, dtype="float64"), plan.size, plan.scale
    exact = size * scale  # what the spec calls the resized length: not rounded
    half = (at + 0.5) / scale - 0.5
    if mode == "align_corners":
        return at * 0 if exact == 1 else at * (size - 1) / (exact - 1)
    if mode == "tf_crop_and_resize":
        begin, end = (edge * (size - 1) for edge in plan.roi)
        return at * 0 + (end + begin) / 2 if exact == 1 else begin + at * (end - begin) / (exact - 1)
    if mode == "half_pixel_symmetric":
        return size / 2 * (1 - plan.out / exact) + half
    if mode == "pytorch_half_pixel" and exact == 1:
        return at * 0 - 0.5
    return at / scale if mode == "asymmetric" else half


def _nearest(places: Array, rounding: str) -> Array:
    if rounding == "floor":
        return np.floor(places)
    if rounding == "ceil":
        return np.ceil(places)
    return np.ceil(places - 0.5) if rounding == "round_prefer_floor" else np.floor(places + 0.5)


def _taps(places: Array, plan: _Axis, mode: str, settings: Any) -> tuple[Array, Array]:
    """(places [out, taps], weights [out, taps]) that each element is made of."""
    reach = 1 if mode == "linear" else 2
    shrink = min(plan.scale, 1.0) if settings.get("antialias") else 1.0
    first = math.floor(-reach / shrink) + 1
    base = np.floor(places)
    steps = np.arange(first, 2 - first)
    distance = (steps[None, :] - (places - base)[:, None]) * shrink
    weights = (
        _hat(distance) if mode == "linear" else _cubic(distance, float(settings.get("cubic_coeff_a", -0.75)))
    )
    index = base[:, None] + steps[None, :]
    if settings.get("exclude_outside"):
        weights = np.where((index < 0) | (index >= plan.size), 0.0, weights)
    weights = weights / weights.sum(1, keepdims=True)
    return np.clip(index, 0, plan.size - 1).astype("int32"), weights


def _hat(distance: Array) -> Array:
    return np.asarray(np.maximum(1 - np.abs(distance), 0))


def _cubic(distance: Array, a: float) -> Array:
    """Keys' piecewise cubic."""
    d = np.abs(distance)
    inner = ((a + 2) * d - (a + 3)) * d * d + 1
    outer = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, inner, np.where(d < 2, outer, 0.0))


def _weighted(node: Node, x: Any, axis: int, index: Array, weights: Array) -> Any:
    out, taps = index.shape

    def mixed(data: Any, places: Any, factors: Any) -> Any:
        shape = [out if k == axis else size for k, size in enumerate(data.shape)]
        tap = te.reduce_axis((0, taps), name="tap")

        def element(*at: Any) -> Any:
            moved = [places(at[axis], tap) if k == axis else place for k, place in enumerate(at)]
            return te.sum(data(*moved) * factors(at[axis], tap), axis=[tap])

        return te.compute(shape, element, name="resized")

    constants = constant(index), relax.const(weights.astype(dtype_of(x)))
    return node.builder.emit_te(mixed, x, *constants)


def _extrapolated(node: Node, x: Any, outside: dict[int, Array], value: float) -> Any:
    """`value` wherever some coordinate lies outside of the input."""
    rank = len(shape_of(x))
    for axis, rows in outside.items():
        mask = constant(rows.reshape([-1 if k == axis else 1 for k in range(rank)]))
        x = node.emit(relax.op.where(mask, relax.const(value, dtype_of(x)), x))
    return x


CONVERTERS = {"Resize": _resize, "Upsample": _upsample}
