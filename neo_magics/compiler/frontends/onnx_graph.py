"""Reading ONNX graphs: their nodes with those of subgraphs, attributes, and the types of values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

STANDARD = ("", "ai.onnx")
_SHAPE_LIKE = 1024  # elements; shapes, axes and sizes have fewer


def opset_of(proto: Any) -> int:
    """The version of the standard operators that a model uses."""
    return next((int(entry.version) for entry in proto.opset_import if entry.domain in STANDARD), 1)


def key_of(node: Any) -> str:
    """A node's operator; outside of standard ONNX with its domain."""
    return str(node.op_type) if node.domain in STANDARD else f"{node.domain}.{node.op_type}"


def graphs_of(graph: Any) -> Iterator[Any]:
    """`graph` and the subgraphs in its nodes."""
    yield graph
    for node in graph.node:
        for inner in subgraphs(node):
            yield from graphs_of(inner)


def nodes_of(graph: Any) -> Iterator[Any]:
    """Every node of `graph` and of its subgraphs."""
    for each in graphs_of(graph):
        yield from each.node


def subgraphs(node: Any) -> list[Any]:
    """The graphs in a node's attributes."""
    found: list[Any] = []
    for attribute in node.attribute:
        found += ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs)
    return found


def attributes_of(node: Any, *, for_tvm: bool = False) -> dict[str, Any]:
    """A node's attributes; texts decoded and lists as lists, or as TVM's converters take them."""
    import onnx

    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if for_tvm:
        return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return {name: _decoded(value) for name, value in found.items()}


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return [_decoded(each) for each in value] if isinstance(value, list) else value


def element_types(proto: Any) -> dict[str, str]:
    """The element type of every value whose type is known, by the value's name ("text" for strings)."""
    inferred = inferred_types(proto)
    return {name: _element(kind) for name, kind in inferred.items()}


def inferred_types(proto: Any) -> dict[str, Any]:
    """The TypeProto of every value, as far as ONNX's inference knows it, by name."""
    import onnx

    light = _without_weights(proto)
    try:
        known = onnx.shape_inference.infer_shapes(light, data_prop=True)
    except (RuntimeError, ValueError):  # contradictions, which the import will name
        known = light
    types: dict[str, Any] = {}
    for graph in graphs_of(known.graph):
        for tensor in graph.initializer:
            types[tensor.name] = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
        for value in (*graph.input, *graph.value_info, *graph.output):
            types[value.name] = value.type
    return types


def _without_weights(proto: Any) -> Any:
    """A copy of `proto` whose larger initialisers are inputs: what they hold decides no shape."""
    import onnx

    copy = type(proto)(ir_version=proto.ir_version)
    copy.opset_import.extend(proto.opset_import)
    copy.functions.extend(proto.functions)
    graph, whole = copy.graph, proto.graph
    graph.name = whole.name or "graph"
    for field in ("node", "input", "output", "value_info", "sparse_initializer"):
        getattr(graph, field).extend(getattr(whole, field))
    given = {value.name for value in whole.input}
    for tensor in whole.initializer:
        if math.prod(tensor.dims) <= _SHAPE_LIKE and not tensor.external_data:
            graph.initializer.append(tensor)
        elif tensor.name not in given:
            kind = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
            graph.input.append(onnx.helper.make_value_info(tensor.name, kind))
    return copy


def element_name(element: int) -> str:
    """NumPy's or ml_dtypes' name of an ONNX element type; "" for none, "text" for strings."""
    import onnx

    if element in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        return "text" if element else ""
    return str(onnx.helper.tensor_dtype_to_np_dtype(element))


def _element(kind: Any) -> str:
    return element_name(kind.tensor_type.elem_type if kind.WhichOneof("value") == "tensor_type" else 0)
