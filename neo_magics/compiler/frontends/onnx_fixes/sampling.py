"""Windows over images: pooling with places, transposed convolutions of a given size, regions, deformed and
folded windows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax, te
from tvm.tirx import if_then_else

from neo_magics.compiler.frontends.ceil_windows import padding_after
from neo_magics.compiler.frontends.onnx_fixes.node import Node, by_tvm, cast, dtype_of, shape_of


def max_pool(node: Node) -> Any:
    """Maxima with their places. TVM: has no second output, the place of each maximum in the whole tensor."""
    x = node.tensor(0)
    shape = shape_of(x)
    rank = len(shape) - 2
    if node.attribute("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or not _all_known(shape[2:]):
        raise node.unsupported("with places and automatic padding, or of a free size")
    kernel = list(node.attributes["kernel_shape"])
    strides = list(node.attribute("strides", [1] * rank))
    dilations = list(node.attribute("dilations", [1] * rank))
    pads = list(node.attribute("pads", [0] * 2 * rank))
    values = by_tvm(node, "MaxPool", [x])
    sizes = shape_of(values)
    by_column = bool(node.attribute("storage_order", 0))

    def place(at: Sequence[Any]) -> Any:
        """Of an element in its image, by rows or by columns."""
        order = range(rank - 1, -1, -1) if by_column else range(rank)
        found: Any = 0
        for k in order:
            found = found * shape[2 + k] + at[k]
        return found

    def places(data: Any, best: Any) -> Any:
        def element(n: Any, c: Any, *at: Any) -> Any:
            result: Any = tvm.tirx.const(0, "int64")
            for inner in reversed(list(itertools.product(*map(range, kernel)))):
                spot = [
                    a * s - p + k * d
                    for a, s, p, k, d in zip(at, strides, pads[:rank], inner, dilations, strict=True)
                ]
                inside = tvm.tirx.all(
                    *(tvm.tirx.all(v >= 0, v < size) for v, size in zip(spot, shape[2:], strict=True))
                )
                here = if_then_else(inside, data(n, c, *spot) == best(n, c, *at), False)
                image = tvm.tirx.Cast("int64", n * shape[1] + c) * int(np.prod(shape[2:]))
                result = tvm.tirx.Select(here, image + tvm.tirx.Cast("int64", place(spot)), result)
            return result

        return te.compute(sizes, element, name="places")

    values = node.emit(values)
    return relax.Tuple([values, node.builder.emit_te(places, x, values)])


def rounded_up(node: Node) -> Any:
    """Pooling of free sizes with ceil_mode. TVM: its shape is a condition, which no later pass knows."""
    x, kernel = node.tensor(0), list(node.attributes["kernel_shape"])
    rank, automatic = len(kernel), node.attribute("auto_pad", "NOTSET") != "NOTSET"
    if not node.attribute("ceil_mode", 0) or automatic or _all_known(shape_of(x)[2:]):
        return None
    strides, dilations = (list(node.attribute(name, [1] * rank)) for name in ("strides", "dilations"))
    pads = list(node.attribute("pads", [0] * 2 * rank))
    before, after = pads[:rank], padding_after(kernel, strides, dilations, pads[rank:])
    if node.attribute("count_include_pad", 0) and any(pads):
        edges = zip(before, pads[rank:], strict=True)
        x = node.emit(relax.op.nn.pad(x, [0] * 4 + [size for pair in edges for size in pair]))
        before, after = [0] * rank, [size - own for size, own in zip(after, pads[rank:], strict=True)]
    changed = {"ceil_mode": 0, "count_include_pad": 0, "pads": [*before, *after]}
    return by_tvm(node, node.operator, [x], {**node.attributes, **changed})


def _max_unpool(node: Node) -> Any:
    """TVM: fails where the output's shape is given."""
    if not node.has(2):
        return None
    x, indices = node.tensor(0), node.tensor(1)
    target = node.known(2, "a shape")
    rank = len(target) - 2
    kernel, strides = node.attributes["kernel_shape"], node.attribute("strides", [1] * rank)
    pads = node.attribute("pads", [0] * 2 * rank)
    shape = shape_of(x)
    smallest = [
        (size - 1) * s - pads[k] - pads[k + rank] + kernel[k]
        for k, (size, s) in enumerate(zip(shape[2:], strides, strict=True))
    ]
    moved = _relocated(node, indices, smallest, target[2:])
    zeros = node.emit(relax.op.zeros(relax.ShapeExpr([int(np.prod(target))]), dtype_of(x)))
    flat = [node.emit(relax.op.reshape(each, [-1])) for each in (moved, x)]
    return relax.op.reshape(node.emit(relax.op.scatter_elements(zeros, flat[0], flat[1], axis=0)), target)


def _relocated(node: Node, indices: Any, old: Sequence[int], new: Sequence[int]) -> Any:
    """Places in images of the sizes `old`, in images of the sizes `new`."""
    if list(old) == list(new):
        return indices
    left, factor = indices, 1
    result = relax.const(0, "int64")
    for o, n in zip(reversed(old), reversed(new), strict=True):
        part = node.emit(relax.op.floor_mod(left, relax.const(o, "int64")))
        left = node.emit(relax.op.floor_divide(left, relax.const(o, "int64")))
        result = node.emit(relax.op.add(result, _times(node, part, factor)))
        factor *= int(n)
    return node.emit(relax.op.add(result, _times(node, left, factor)))


def _times(node: Node, x: Any, factor: int) -> Any:
    return node.emit(relax.op.multiply(x, relax.const(factor, "int64")))


def _conv_transpose(node: Node) -> Any:
    """TVM: forgets output_shape, from which the padding follows."""
    target = node.attributes.get("output_shape")
    if not target:
        return None
    shape, rank = shape_of(node.tensor(0)), len(target)
    kernel = list(node.attribute("kernel_shape", shape_of(node.tensor(1))[2:]))
    strides, dilations, extra = (
        list(node.attribute(name, [value] * rank))
        for name, value in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    whole = [
        strides[k] * (shape[2 + k] - 1) + extra[k] + (kernel[k] - 1) * dilations[k] + 1 for k in range(rank)
    ]
    total = [size - wanted for size, wanted in zip(whole, target, strict=True)]
    for k, missing in enumerate(total):
        extra[k] += max(0, -missing)
    upper = node.attribute("auto_pad", "NOTSET") == "SAME_UPPER"
    before = [max(0, t) // 2 if upper else max(0, t) - max(0, t) // 2 for t in total]
    after = [max(0, t) - b for t, b in zip(total, before, strict=True)]
    kept = {k: v for k, v in node.attributes.items() if k not in ("output_shape", "auto_pad")}
    kept |= {"pads": before + after, "output_padding": extra, "kernel_shape": kernel}
    return by_tvm(node, "ConvTranspose", node.inputs, kept)


def _col2im(node: Node) -> Any:
    """Col2Im, which TVM's importer does not have: columns of windows added up into images."""
    x = node.tensor(0)
    image, block = node.known(1, "an image's shape"), node.known(2, "a block's shape")
    rank = len(image)
    strides, dilations = (list(node.attribute(name, [1] * rank)) for name in ("strides", "dilations"))
    pads = list(node.attribute("pads", [0] * 2 * rank))
    batch, rows, _columns = shape_of(x)
    counts = [
        (image[k] + pads[k] + pads[k + rank] - dilations[k] * (block[k] - 1) - 1) // strides[k] + 1
        for k in range(rank)
    ]
    channels = rows // int(np.prod(block))

    def folded(columns: Any) -> Any:
        inner = [te.reduce_axis((0, size), name=f"k{k}") for k, size in enumerate(block)]

        def element(n: Any, c: Any, *at: Any) -> Any:
            inside, row, column = [], c, tvm.tirx.const(0, "int64")
            for k in range(rank):
                reach = at[k] + pads[k] - inner[k] * dilations[k]
                window = tvm.tirx.floordiv(reach, strides[k])
                inside += [tvm.tirx.floormod(reach, strides[k]) == 0, window >= 0, window < counts[k]]
                row, column = row * block[k] + inner[k], column * counts[k] + window
            zero = tvm.tirx.const(0, columns.dtype)
            return te.sum(if_then_else(tvm.tirx.all(*inside), columns(n, row, column), zero), axis=inner)

        return te.compute([batch, channels, *image], element, name="col2im")

    return node.builder.emit_te(folded, x)


def _deformed(node: Node) -> Any:
    """DeformConv, which TVM's importer does not have: a convolution whose taps are moved, and weighted."""
    x, weight, offset = (node.tensor(k) for k in range(3))
    batch, channels, height, width = shape_of(x)
    outputs, inner, *kernel = shape_of(weight)
    groups, split = int(node.attribute("group", 1)), int(node.attribute("offset_group", 1))
    strides, dilations = (list(node.attribute(name, [1, 1])) for name in ("strides", "dilations"))
    pads = list(node.attribute("pads", [0] * 4))
    high, wide = shape_of(offset)[2:]
    taps = kernel[0] * kernel[1]
    mask = node.tensor(4) if node.has(4) else None

    def taken(data: Any, moves: Any, *weights: Any) -> Any:
        def element(n: Any, c: Any, tap: Any, h: Any, w: Any) -> Any:
            group = tvm.tirx.floordiv(c, channels // split)
            row, column = tvm.tirx.floordiv(tap, kernel[1]), tvm.tirx.floormod(tap, kernel[1])
            first = (group * taps + tap) * 2
            y = (h * strides[0] - pads[0] + row * dilations[0]).astype(data.dtype) + moves(n, first, h, w)
            z = (w * strides[1] - pads[1] + column * dilations[1]).astype(data.dtype) + moves(
                n, first + 1, h, w
            )
            value = _bilinear(data, n, c, y, z, (height, width))
            return value * weights[0](n, group * taps + tap, h, w) if weights else value

        return te.compute([batch, channels, taps, high, wide], element, name="deformed")

    picked = node.builder.emit_te(taken, x, offset, *([] if mask is None else [mask]))
    per = channels // groups
    columns = node.emit(relax.op.reshape(picked, [batch, groups, per * taps, high * wide]))
    matrix = node.emit(relax.op.reshape(weight, [1, groups, outputs // groups, inner * taps]))
    result = node.emit(
        relax.op.reshape(node.emit(relax.op.matmul(matrix, columns)), [batch, outputs, high, wide])
    )
    if node.has(3):
        bias = node.emit(relax.op.reshape(node.tensor(3), [1, outputs, 1, 1]))
        result = node.emit(relax.op.add(result, bias))
    return result


def _bilinear(data: Any, n: Any, c: Any, y: Any, x: Any, sizes: tuple[Any, Any]) -> Any:
    """Between the four neighbours of (y, x); what lies outside is 0."""
    top, left = tvm.tirx.floor(y), tvm.tirx.floor(x)
    total: Any = tvm.tirx.const(0, data.dtype)
    for down, right in itertools.product(range(2), range(2)):
        row, column = top.astype("int32") + down, left.astype("int32") + right
        high = y - top if down else top + 1 - y
        wide = x - left if right else left + 1 - x
        inside = tvm.tirx.all(row >= 0, row < sizes[0], column >= 0, column < sizes[1])
        total = total + if_then_else(
            inside, data(n, c, row, column) * high * wide, tvm.tirx.const(0, data.dtype)
        )
    return total


def _roi_align(node: Node) -> Any:
    """TVM: the largest sample is taken of the average's samples; ONNX takes that of each one's neighbours."""
    if node.attribute("mode", "avg") != "max":
        return None
    x, rois, images = node.tensor(0), node.tensor(1), cast(node, node.tensor(2), "int32")
    _batch, channels, height, width = shape_of(x)
    high, wide = int(node.attribute("output_height", 1)), int(node.attribute("output_width", 1))
    ratio, scale = int(node.attribute("sampling_ratio", 0)), float(node.attribute("spatial_scale", 1.0))
    mode = node.attribute(
        "coordinate_transformation_mode", "half_pixel" if node.opset >= 16 else "output_half_pixel"
    )
    if ratio <= 0 or dtype_of(x) != "float32":
        raise node.unsupported("with mode max and as many samples as the region decides")
    half = 0.5 if mode == "half_pixel" else 0.0

    def aligned(data: Any, boxes: Any, of: Any) -> Any:
        inner = [te.reduce_axis((0, ratio), name=name) for name in ("iy", "ix")]

        def element(r: Any, c: Any, h: Any, w: Any) -> Any:
            spots = []
            for axis, (place, count, step) in enumerate(((h, high, inner[0]), (w, wide, inner[1]))):
                begin = boxes(r, 1 - axis) * scale - half
                length = boxes(r, 3 - axis) * scale - half - begin
                length = length if half else tvm.tirx.max(length, tvm.tirx.const(1, "float32"))
                bin_size = length / count
                spots.append(begin + bin_size * (place + (step + 0.5) / ratio))
            return te.max(_largest_neighbour(data, of(r), c, spots, (height, width)), axis=inner)

        return te.compute([shape_of(rois)[0], channels, high, wide], element, name="roi_max")

    return node.builder.emit_te(aligned, x, rois, images)


def _largest_neighbour(data: Any, n: Any, c: Any, spots: Sequence[Any], sizes: tuple[Any, Any]) -> Any:
    """The largest of the four weighted neighbours; 0 outside of the image by more than an element."""
    lows, highs, parts = [], [], []
    outside = []
    for spot, size in zip(spots, sizes, strict=True):
        outside += [spot < -1.0, spot > size]
        inner = tvm.tirx.max(spot, tvm.tirx.const(0, "float32"))
        low = tvm.tirx.min(inner.astype("int32"), size - 1)
        last = low >= size - 1
        lows.append(low)
        highs.append(tvm.tirx.Select(last, low, low + 1))
        parts.append(tvm.tirx.Select(last, tvm.tirx.const(0, "float32"), inner - low.astype("float32")))
    (y0, x0), (y1, x1), (dy, dx) = lows, highs, parts
    corners = [
        (1 - dy) * (1 - dx) * data(n, c, y0, x0),
        (1 - dy) * dx * data(n, c, y0, x1),
        dy * (1 - dx) * data(n, c, y1, x0),
        dy * dx * data(n, c, y1, x1),
    ]
    largest = corners[0]
    for corner in corners[1:]:
        largest = tvm.tirx.max(largest, corner)
    return if_then_else(tvm.tirx.any(*outside), tvm.tirx.const(0, "float32"), largest)


def _all_known(sizes: Sequence[Any]) -> bool:
    return all(isinstance(size, int) for size in sizes)


CONVERTERS = {
    "Col2Im": _col2im,
    "ConvTranspose": _conv_transpose,
    "DeformConv": _deformed,
    "MaxUnpool": _max_unpool,
    "RoiAlign": _roi_align,
}
