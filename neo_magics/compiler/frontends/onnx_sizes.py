"""Arithmetic on shapes in int32, as TensorFlow's converters write it, in int64.

With a free dimension such arithmetic cannot be folded. The importer follows it as arithmetic of sizes, which
are int64: a cast to int32 on the way would make a tensor of them, whose values only the run knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CARRIES = frozenset(
    ("Slice", "Gather", "Concat", "Squeeze", "Unsqueeze", "Add", "Sub", "Mul", "Identity", "ReduceProd")
)
_INDEXED = ("Slice", "Gather", "Squeeze", "Unsqueeze")  # only their first input is what they carry


def widen_sizes(proto: Any) -> None:
    """Let the sizes that come from a Shape and end as int64 be int64 all the way; `proto` is changed."""
    import onnx

    graph = proto.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    shapes = {node.output[0] for node in graph.node if node.op_type == "Shape"}
    outputs = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type != "Cast" or node.input[0] not in shapes or _target(node) != onnx.TensorProto.INT32:
            continue
        chain = _chain(node, users, stored, outputs)
        if chain is None:
            continue
        node.attribute[0].i = onnx.TensorProto.INT64
        for each in chain:
            _widen_constants(graph, each, stored)


def _chain(
    start: Any, users: Mapping[str, list[Any]], stored: Mapping[str, Any], outputs: set[str]
) -> list[Any] | None:
    """What `start` feeds up to casts; None where it feeds something else too."""
    found: list[Any] = []
    made, left = {start.output[0]}, [start.output[0]]
    while left:
        name = left.pop()
        if name in outputs:
            return None
        for node in users.get(name, []):
            if node.op_type == "Cast":
                continue
            carried = node.input[:1] if node.op_type in _INDEXED else node.input
            if node.op_type not in _CARRIES or name not in carried:
                return None
            if node not in found:
                found.append(node)
            if node.output[0] not in made:
                made.add(node.output[0])
                left.append(node.output[0])
    others = (name for node in found if node.op_type not in _INDEXED for name in node.input)
    return found if all(name in made or name in stored for name in others) else None


def _widen_constants(graph: Any, node: Any, stored: dict[str, Any]) -> None:
    """Give `node` int64 copies of the int32 constants that it reckons with."""
    import numpy as np
    import onnx

    if node.op_type in _INDEXED:
        return
    for place, name in enumerate(node.input):
        if name not in stored or stored[name].data_type != onnx.TensorProto.INT32:
            continue
        wide = f"{name}_int64"
        if wide not in stored:
            array = onnx.numpy_helper.to_array(stored[name]).astype(np.int64)
            stored[wide] = onnx.numpy_helper.from_array(array, wide)
            graph.initializer.append(stored[wide])
        node.input[place] = wide


def _target(node: Any) -> int:
    return next(int(attribute.i) for attribute in node.attribute if attribute.name == "to")
