"""A TFLite model in other sizes: LiteRT computes the shapes of all tensors, which replace those in the file.

TVM takes the shapes of inner tensors from the file. A shape in the file is as long as its tensor has
dimensions, so the numbers can be written in their places.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from neo_magics.capture.source_tflite import interpreter
from neo_magics.capture.tflite_file import TfliteFile
from neo_magics.errors import InputError

_SHAPE_SLOT = 4  # of a Tensor's table: its first field


def resized(file: TfliteFile, shapes: Mapping[str, Sequence[int]]) -> bytes:
    """The bytes of the model with inputs of `shapes`; `InputError` where its operators do not allow them."""
    runner = interpreter(file.content, 1, delegate=False)  # which would hide the sizes of what it computes
    details = runner.get_input_details()
    try:
        for spec, detail in zip(file.inputs, details, strict=True):
            runner.resize_tensor_input(detail["index"], list(shapes[spec.name]))
        runner.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"The model does not take inputs of these sizes: {' '.join(str(error).split())[:300]}",
            hint="Leave DataInputConfig out, or convert the model with the sizes that you need.",
        ) from error
    content = bytearray(file.content)
    graph = file.model.Subgraphs(0)
    count = graph.TensorsLength()
    for detail in runner.get_tensor_details():
        if detail["index"] < count:  # beyond them are LiteRT's own
            _write(content, graph.Tensors(detail["index"]), [int(size) for size in detail["shape"]])
    return bytes(content)


def _write(content: bytearray, tensor: Any, shape: Sequence[int]) -> None:
    if tensor.ShapeLength() != len(shape) or not shape:
        return
    table = tensor._tab
    begin = table.Vector(table.Offset(_SHAPE_SLOT))
    struct.pack_into(f"<{len(shape)}i", content, begin, *shape)
