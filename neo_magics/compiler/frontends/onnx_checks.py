"""What an ONNX model must not hold: operators without a converter, and those that TVM converts wrongly.

All of a model are reported at once, with the nodes that they are in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from neo_magics.compiler.frontends.onnx_importer import known_operators
from neo_magics.compiler.frontends.unsupported import unsupported

STANDARD = ("", "ai.onnx")


def check_operators(proto: Any) -> None:
    """`UnsupportedOperatorsError` with every operator of `proto` that cannot be converted correctly."""
    known = known_operators()
    local = {(function.domain, function.name) for function in proto.functions}
    missing: dict[str, list[str]] = {}
    for node in _nodes(proto.graph):
        reason = "" if (node.domain, node.op_type) in local else _reason(node, known)
        if reason:
            missing.setdefault(reason, []).append(node.name or f"output {node.output[0]}")
    if missing:
        raise unsupported("ONNX", missing)


def _reason(node: Any, known: frozenset[str]) -> str:
    """How the operator is named where it is refused; "" where it is fine."""
    if node.domain not in STANDARD:
        return f"{node.domain}.{node.op_type}"
    if node.op_type not in known:
        return str(node.op_type)
    problem = _WRONG.get(node.op_type, lambda _node: "")(node)
    return f"{node.op_type} {problem}" if problem else ""


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from _nodes(inner)


def _attribute(node: Any, name: str, default: Any) -> Any:
    import onnx

    found = next((a for a in node.attribute if a.name == name), None)
    value = default if found is None else onnx.helper.get_attribute_value(found)
    return value.decode() if isinstance(value, bytes) else value


def _outputs(limit: int, what: str) -> Callable[[Any], str]:
    """More than `limit` outputs in use are wrong."""
    return lambda node: what if any(node.output[limit:]) else ""


def _always(what: str) -> Callable[[Any], str]:
    return lambda _node: what


def _unless(name: str, right: Any, default: Any) -> Callable[[Any], str]:
    """Only the value `right` of an attribute is converted correctly."""

    def check(node: Any) -> str:
        value = _attribute(node, name, default)
        return "" if value == right else f"with {name}={value}"

    return check


def _without(*names: str) -> Callable[[Any], str]:
    """None of these attributes is converted correctly."""
    return lambda node: next((f"with {a.name}" for a in node.attribute if a.name in names), "")


def _either(*checks: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda node: next((found for check in checks if (found := check(node))), "")


# Each line is a case in which TVM 0.27 compiles and computes something else than ONNX says.
_WRONG: dict[str, Callable[[Any], str]] = {
    "NonMaxSuppression": _always("(TVM finds no boxes)"),
    "AllClassNMS": _always("(not checked)"),
    "LayerNormalization": _outputs(1, "with its mean and deviation as outputs"),
    "SkipLayerNormalization": _outputs(1, "with more than one output"),
    "Dropout": _outputs(1, "with its mask as an output"),
    "BatchNormalization": _either(_outputs(1, "in training mode"), _unless("training_mode", 0, 0)),
    "SpaceToDepth": _unless("mode", "DCR", "DCR"),
    "DepthToSpace": _unless("mode", "DCR", "DCR"),
    "IsInf": _either(_unless("detect_negative", 1, 1), _unless("detect_positive", 1, 1)),
    "ConvTranspose": _without("output_shape"),
    "RoiAlign": _unless("mode", "avg", "avg"),
    "MaxPool": _unless("storage_order", 0, 0),
    "BitShift": _always("(wrong for shifts by the whole width)"),
}
