"""The boxes of YOLO's first version, and of heads that say how unsure each number is (Gaussian YOLOv3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neo_magics.capture.darknet_cfg import Section
from neo_magics.capture.darknet_heads import boxes_of, each_anchor, parts_of, rows_of, sizes_of
from neo_magics.capture.onnx_build import GraphMaker
from neo_magics.errors import InputError

if TYPE_CHECKING:
    from neo_magics.capture.darknet_graph import Value

_GAUSSIAN = 9  # numbers of a box before its classes: four pairs of mean and deviation, and how sure it is


def gaussian_boxes(maker: GraphMaker, layer: Section, x: Value, image: tuple[int, int]) -> str:
    """As YOLOv3's, with classes that count as far as the box is certain: 1 - the mean of its deviations."""
    sizes = sizes_of(layer, image)
    classes = layer.whole("classes", 20)
    raw = rows_of(maker, layer, x, len(sizes), _GAUSSIAN)
    parts = parts_of(maker, raw, [1] * 8 + [1 + classes])
    place = maker.add("Sigmoid", maker.add("Concat", parts[0], parts[2], axis=-1))
    stretch = layer.real("scale_x_y", 1.0)
    place = maker.add("Mul", place, maker.constant(stretch))
    place = maker.add("Sub", place, maker.constant(0.5 * (stretch - 1.0)))
    size = maker.add("Exp", maker.add("Concat", parts[4], parts[6], axis=-1))
    unsure = maker.add("Sigmoid", maker.add("Concat", *parts[1:8:2], axis=-1))
    certain = maker.add("Sub", maker.constant(1.0), maker.add("ReduceMean", unsure, axes=[-1], keepdims=1))
    sure, kinds = parts_of(maker, maker.add("Sigmoid", parts[8]), [1, classes])
    rest = maker.add("Concat", sure, maker.add("Mul", kinds, certain), axis=-1)
    size = maker.add("Mul", size, each_anchor(maker, x, sizes))
    return boxes_of(maker, x, place, size, rest, layer, len(sizes))


def cell_boxes(maker: GraphMaker, layer: Section, x: Value) -> str:
    """YOLOv1: a grid of `side` cells, each with its classes and `num` boxes; one kind after the other."""
    side, count, classes = layer.whole("side", 7), layer.whole("num", 1), layer.whole("classes", 1)
    cells, given = side * side, x.channels * x.height * x.width
    needed = cells * (5 * count + classes)
    if layer.whole("coords", 1) != 4 or given != needed:
        raise InputError(
            f"Layer {layer.name} needs coords=4 and {needed} numbers; the layer before it gives {given}.",
            hint="They are side · side · (5 · num + classes); correct the .cfg.",
        )
    flat = maker.add("Flatten", x.name)
    kinds, sure, boxes = parts_of(maker, flat, [cells * classes, cells * count, cells * count * 4])
    kinds = maker.add("Reshape", kinds, maker.constant([0, cells, 1, classes]))
    if layer.whole("softmax", 0):
        kinds = maker.add("Softmax", kinds, axis=-1)
    sure = maker.add("Reshape", sure, maker.constant([0, cells, count, 1]))
    place, size = parts_of(maker, maker.add("Reshape", boxes, maker.constant([0, cells, count, 4])), [2, 2])
    rows, columns = np.mgrid[:side, :side]
    corner = np.stack([columns, rows], -1).reshape(1, cells, 1, 2).astype(np.float32)
    place = maker.add("Div", maker.add("Add", place, maker.constant(corner)), maker.constant(float(side)))
    size = maker.add("Mul", size, size) if layer.whole("sqrt", 0) else size
    whole = maker.add("Concat", place, size, sure, maker.add("Mul", sure, kinds), axis=-1)
    return str(maker.add("Reshape", whole, maker.constant([0, cells * count, 5 + classes])))
