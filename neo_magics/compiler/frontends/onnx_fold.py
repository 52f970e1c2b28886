"""What is constant in an ONNX graph, computed by ONNX's reference implementation.

ONNX Runtime folds most of it; this is for the models that it cannot load, and for what it leaves: function
bodies that are inlined after it, and the shapes of values whose sizes are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neo_magics.compiler.frontends.onnx_graph import (
    STANDARD,
    attributes_of,
    element_types,
    inferred_types,
    subgraphs,
)

_LARGEST = 2**20  # elements of a result; weights are left to FoldConstants
_RANDOM = (
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Bernoulli",
    "Multinomial",
)
Array = np.ndarray[Any, Any]


def with_constants(proto: Any) -> Any:
    """`proto`, changed: nodes whose result is known are initialisers now."""
    import onnx

    graph = proto.graph
    given = {value.name for value in graph.input}
    stored = (tensor for tensor in graph.initializer if tensor.name not in given and _small(tensor))
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in stored}
    types: dict[str, Any] = {}
    kept: list[Any] = []
    made: list[Any] = []
    left = list(graph.node)[::-1]
    while left:
        node = left.pop()
        if node.op_type in ("Shape", "Size") and not types:
            types = inferred_types(proto)
        if node.op_type == "If" and node.input[0] in values:
            left += _branch(node, bool(values[node.input[0]].item()), values, made)[::-1]
            continue
        found = _value(proto, node, values, types)
        if found is None:
            kept.append(node)
            continue
        for name, array in zip(node.output, found, strict=False):
            if name and array is not None:
                values[name] = array
                made.append(onnx.numpy_helper.from_array(array, name))
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(made)
    return proto


def _branch(node: Any, chosen: bool, values: dict[str, Array], made: list[Any]) -> list[Any]:
    """The nodes of the branch that is taken, and such as give its outputs the node's names."""
    import onnx

    name = "then_branch" if chosen else "else_branch"
    graph = next(attribute.g for attribute in node.attribute if attribute.name == name)
    for tensor in graph.initializer:
        values[tensor.name] = onnx.numpy_helper.to_array(tensor)
        made.append(tensor)
    pairs = zip(graph.output, node.output, strict=True)
    named = [onnx.helper.make_node("Identity", [inner.name], [outer]) for inner, outer in pairs]
    return [*graph.node, *named]


def _small(tensor: Any) -> bool:
    return int(np.prod(tensor.dims)) <= _LARGEST


def _value(
    proto: Any, node: Any, values: Mapping[str, Array], types: Mapping[str, Any]
) -> list[Array | None] | None:
    """The outputs of `node`, None where they are not known."""
    if node.domain not in STANDARD or node.op_type in _RANDOM or subgraphs(node):
        return None
    if node.op_type in ("Shape", "Size") and node.input[0] not in values:
        return _measured(node, types.get(node.input[0]))
    if any(name and name not in values for name in node.input):
        return None
    return evaluated(proto, node, {name: values[name] for name in node.input if name})


def _measured(node: Any, kind: Any | None) -> list[Array | None] | None:
    """The shape or size of a tensor whose sizes are all known."""
    if kind is None or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    if not all(dim.HasField("dim_value") for dim in dims):
        return None
    shape = [int(dim.dim_value) for dim in dims]
    if node.op_type == "Size":
        return [np.array(int(np.prod(shape)), "int64")]
    attributes = attributes_of(node)
    return [np.array(shape[attributes.get("start", 0) : attributes.get("end")], "int64")]


def evaluated(proto: Any, node: Any, inputs: Mapping[str, Array]) -> list[Array | None] | None:
    """The outputs of `node` for `inputs` by name; None where ONNX's reference cannot compute them.

    `proto` is the model that it belongs to, for its versions.
    """
    if node.domain not in STANDARD or node.op_type in _RANDOM or subgraphs(node):
        return None
    from onnx.reference import ReferenceEvaluator

    outputs = [name for name in node.output if name]
    model = _model_of(proto, node, inputs, outputs)
    types = element_types(model)
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(model).run(None, dict(inputs))
    except Exception:  # noqa: BLE001  the importer converts the node, or refuses it by name
        return None
    by_name = dict(zip(outputs, map(np.asarray, found), strict=True))
    if any(str(array.dtype) != types[name] or array.size > _LARGEST for name, array in by_name.items()):
        return None  # NumPy has made a wider type of it
    return [by_name.get(name) for name in node.output]


def _model_of(proto: Any, node: Any, inputs: Mapping[str, Array], outputs: list[str]) -> Any:
    """A model of one node."""
    import onnx

    given = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in inputs.items()
    ]
    results = [onnx.helper.make_value_info(name, onnx.TypeProto()) for name in outputs]
    graph = onnx.helper.make_graph([node], "constant", given, results)
    opsets = list(proto.opset_import)
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=proto.ir_version)
