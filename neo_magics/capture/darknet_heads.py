"""What YOLO's last layers mean: from raw numbers of each cell and anchor to boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neo_magics.capture.darknet_cfg import Section
from neo_magics.capture.onnx_build import GraphMaker
from neo_magics.errors import InputError

if TYPE_CHECKING:
    from neo_magics.capture.darknet_graph import Value


def yolo_boxes(maker: GraphMaker, layer: Section, x: Value, image: tuple[int, int]) -> str:
    """YOLOv3 and v4: every class is a question of its own; anchors are in pixels of the network's image.

    With `new_coords` (scaled YOLOv4) the convolution before has applied the logistic function already.
    """
    sizes = sizes_of(layer, image)
    raw = rows_of(maker, layer, x, len(sizes))
    new, stretch = layer.whole("new_coords", 0), layer.real("scale_x_y", 1.0)
    centre, size, rest = _split(maker, raw, x, layer)
    if not new:
        centre, rest = maker.add("Sigmoid", centre), maker.add("Sigmoid", rest)
    centre = maker.add("Mul", centre, maker.constant(stretch))
    centre = maker.add("Sub", centre, maker.constant(0.5 * (stretch - 1.0)))
    grown = maker.add("Exp", size)
    if new:
        double = maker.add("Mul", size, maker.constant(2.0))
        grown = maker.add("Mul", double, double)
    return boxes_of(
        maker, x, centre, maker.add("Mul", grown, each_anchor(maker, x, sizes)), rest, layer, len(sizes)
    )


def region_boxes(maker: GraphMaker, layer: Section, x: Value) -> str:
    """YOLOv2: one class per box (softmax); anchors are in cells."""
    anchors = _anchors(layer)
    sizes = anchors / np.array([x.width, x.height])
    raw = rows_of(maker, layer, x, len(anchors))
    centre, size, rest = _split(maker, raw, x, layer)
    centre = maker.add("Sigmoid", centre)
    size = maker.add("Mul", maker.add("Exp", size), each_anchor(maker, x, sizes))
    sure, classes = parts_of(maker, rest, [1, _classes(layer)])
    sure = maker.add("Sigmoid", sure)
    if layer.whole("softmax", 0):
        classes = maker.add("Softmax", classes, axis=-1)
    return boxes_of(maker, x, centre, size, maker.add("Concat", sure, classes, axis=-1), layer, len(sizes))


def sizes_of(layer: Section, image: tuple[int, int]) -> np.ndarray:
    """[anchors, 2]: width and height of the masked anchors as shares of the image."""
    anchors = _anchors(layer)
    mask = [int(number) for number in layer.several("mask")] or list(range(len(anchors)))
    return np.asarray(anchors[mask] / np.array([image[1], image[0]]))


def _anchors(layer: Section) -> np.ndarray:
    values = layer.several("anchors")
    if not values or len(values) % 2:
        raise InputError(f"Layer {layer.name} has no pairs of anchors.", hint="Correct anchors in the .cfg.")
    return np.array(values).reshape(-1, 2)


def _classes(layer: Section) -> int:
    return layer.whole("classes", 20)


def rows_of(maker: GraphMaker, layer: Section, x: Value, anchors: int, numbers: int = 5) -> str:
    """[batch, anchors · columns, height, width] → [batch, cells · anchors, columns = numbers + classes]."""
    columns = numbers + _classes(layer)
    if x.channels != anchors * columns:
        raise InputError(
            f"Layer {layer.name} needs {anchors * columns} channels, the layer before it has {x.channels}.",
            hint=f"filters of that layer is (classes + {numbers}) times the number of anchors.",
        )
    last = maker.add("Transpose", x.name, perm=[0, 2, 3, 1])
    return str(maker.add("Reshape", last, maker.constant([0, x.height * x.width * anchors, columns])))


def _split(maker: GraphMaker, rows: str, _x: Value, layer: Section) -> tuple[str, str, str]:
    centre, size, rest = parts_of(maker, rows, [2, 2, 1 + _classes(layer)])
    return centre, size, rest


def parts_of(maker: GraphMaker, value: str, sizes: list[int]) -> tuple[str, ...]:
    """`value` cut along its last axis."""
    found: tuple[str, ...] = maker.add("Split", value, maker.constant(sizes), outputs=len(sizes), axis=-1)
    return found


def each_anchor(maker: GraphMaker, x: Value, sizes: np.ndarray) -> str:
    """The anchors' sizes for every row: anchors change fastest."""
    return maker.constant(np.tile(sizes, (x.height * x.width, 1))[None].astype(np.float32))


def boxes_of(
    maker: GraphMaker, x: Value, centre: str, size: str, rest: str, layer: Section, anchors: int
) -> str:
    """Cells become places in the image; classes count as far as there is an object."""
    rows, columns = np.mgrid[: x.height, : x.width]
    cells = np.repeat(np.stack([columns, rows], -1).reshape(-1, 2), anchors, axis=0)[None]
    centre = maker.add("Add", centre, maker.constant(cells.astype(np.float32)))
    centre = maker.add("Div", centre, maker.constant(np.array([x.width, x.height], np.float32)))
    sure, classes = parts_of(maker, rest, [1, _classes(layer)])
    return str(maker.add("Concat", centre, size, sure, maker.add("Mul", sure, classes), axis=-1))
