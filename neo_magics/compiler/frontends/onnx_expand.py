"""Function operators replaced by what they are made of.

ONNX defines many operators by a body of simpler ones (Attention, the losses, Swish, RotaryEmbedding, …).
Those that nothing here converts on its own become that body. The onnx package's own inliner does this too,
but fails on calls that leave an optional input out ("Type unknown for "), so bodies are looked up here, put
into the model as functions of its own, and only then inlined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from neo_magics.compiler.frontends.onnx_graph import STANDARD, inferred_types, nodes_of, opset_of
from neo_magics.compiler.frontends.unsupported import unsupported

_DOMAIN = "neo_magics.expanded"
_DEPTH = 8  # functions within functions


def expanded(proto: Any, wanted: Callable[[Any], bool]) -> Any:
    """`proto` (shapes fixed) with every function call of its own, and every node that is `wanted` and has a
    body, inlined."""
    from onnx.inliner import inline_local_functions

    if proto.functions:
        proto = inline_local_functions(proto)
    for _ in range(_DEPTH):
        bodies = _with_bodies(proto, wanted)
        if not bodies:
            return proto
        for number, (node, body) in enumerate(bodies):
            body.domain, body.name = _DOMAIN, f"{node.op_type}_{number}"
            node.domain, node.op_type = body.domain, body.name
            proto.functions.append(body)
        proto.opset_import.add(domain=_DOMAIN, version=1)
        proto = inline_local_functions(proto, convert_version=True)
        left = next((node for node in nodes_of(proto.graph) if node.domain == _DOMAIN), None)
        if left is not None:
            raise unsupported("ONNX", {left.op_type.rpartition("_")[0]: [left.name]})
        kept = [entry for entry in proto.opset_import if entry.domain != _DOMAIN]
        del proto.opset_import[:]
        proto.opset_import.extend(kept)
    return proto


def _with_bodies(proto: Any, wanted: Callable[[Any], bool]) -> list[tuple[Any, Any]]:
    """The nodes to expand, each with its body."""
    nodes = [node for node in nodes_of(proto.graph) if node.domain in STANDARD and wanted(node)]
    if not nodes:
        return []
    types, opset = inferred_types(proto), opset_of(proto)
    found = [(node, _body(node, opset, types)) for node in nodes]
    return [(node, body) for node, body in found if body is not None]


def _body(node: Any, opset: int, types: Mapping[str, Any]) -> Any | None:
    """What `node` stands for, None where its schema does not say."""
    import onnx

    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    _say_defaults(node, schema)
    fixed, by_context = schema.function_opset_versions, schema.context_dependent_function_opset_versions
    if version := max((v for v in fixed if v <= opset), default=0):
        text = schema.get_function_with_opset_version(version)
    elif version := max((v for v in by_context if v <= opset), default=0):
        inputs = [types[name].SerializeToString() if name in types else b"" for name in node.input]
        text = schema.get_context_dependent_function_with_opset_version(
            version, node.SerializeToString(), inputs
        )
    else:
        return None
    body = onnx.FunctionProto.FromString(text)
    _bring_to(body, opset)
    return body


def _say_defaults(node: Any, schema: Any) -> None:
    """Write into `node` what it leaves to defaults: the inliner drops a reference to what no one says."""
    said = {attribute.name for attribute in node.attribute}
    defaults = [attribute.default_value for attribute in schema.attributes.values()]
    node.attribute.extend(default for default in defaults if default.name and default.name not in said)


def _bring_to(body: Any, opset: int) -> None:
    """Let `body` say that it is of the model's version where that takes its operators as they are.

    The inliner takes functions of the model's version; most versions of an operator only add types.
    """
    entry = next(entry for entry in body.opset_import if entry.domain in STANDARD)
    operators = {node.op_type for node in nodes_of(body) if node.domain in STANDARD}
    if all(_still_means(name, entry.version, opset) for name in operators):
        entry.version = opset


def _still_means(operator: str, old: int, new: int) -> bool:
    """Whether a call of version `old` means the same in version `new`: what is new in it is optional."""
    import onnx

    one, other = (onnx.defs.get_schema(operator, version, "") for version in (old, new))
    return (
        all(
            name in other.attributes and _default(one, name) == _default(other, name)
            for name in one.attributes
        )
        and not any(a.required for name, a in other.attributes.items() if name not in one.attributes)
        and [each.name for each in other.inputs[: len(one.inputs)]] == [each.name for each in one.inputs]
        and len(other.outputs) >= len(one.outputs)
    )


def _default(schema: Any, name: str) -> bytes:
    return bytes(schema.attributes[name].default_value.SerializeToString())
