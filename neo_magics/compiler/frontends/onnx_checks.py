"""What an ONNX model must not hold: operators without a converter, and those that TVM converts wrongly.

All of a model are reported at once, with the nodes that they are in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neo_magics.compiler.frontends.onnx_graph import attributes_of, key_of, nodes_of
from neo_magics.compiler.frontends.onnx_importer import known_operators
from neo_magics.compiler.frontends.unsupported import unsupported


def check_operators(proto: Any) -> None:
    """`UnsupportedOperatorsError` with every operator of `proto` that cannot be converted correctly."""
    known = known_operators()
    missing: dict[str, list[str]] = {}
    for node in nodes_of(proto.graph):
        reason = _reason(node, known)
        if reason:
            missing.setdefault(reason, []).append(node.name or f"output {node.output[0]}")
    if missing:
        raise unsupported("ONNX", missing)


def convertible(node: Any) -> bool:
    """Whether `node` can be converted as it is."""
    return not _reason(node, known_operators())


def _reason(node: Any, known: frozenset[str]) -> str:
    """How the operator is named where it is refused; "" where it is fine."""
    key = key_of(node)
    if key not in known:
        return f"{key} {_LAID_OUT}" if node.domain == "com.microsoft.nchwc" else key
    problem = _WRONG[key](node) if key in _WRONG else ""
    return f"{key} {problem}" if problem else ""


_LAID_OUT = "(ONNX Runtime wrote it for one CPU; save the model below ORT_ENABLE_ALL)"


def _outputs(limit: int, what: str) -> Callable[[Any], str]:
    """More than `limit` outputs in use are wrong."""
    return lambda node: what if any(node.output[limit:]) else ""


def _always(what: str) -> Callable[[Any], str]:
    return lambda _node: what


def _unless(name: str, right: Any, default: Any) -> Callable[[Any], str]:
    """Only the value `right` of an attribute is converted correctly."""

    def check(node: Any) -> str:
        value = attributes_of(node).get(name, default)
        return "" if value == right else f"with {name}={value}"

    return check


# Each line is a case in which TVM 0.27 compiles and computes something else than ONNX says. Those that have a
# function body are expanded instead.
_WRONG: dict[str, Callable[[Any], str]] = {
    "Attention": _always("(TVM converts another operator of this name)"),
    "AllClassNMS": _always("(not checked)"),
    "LayerNormalization": _outputs(1, "with its mean and deviation as outputs"),
    "SkipLayerNormalization": _outputs(1, "with more than one output"),
    "SpaceToDepth": _unless("mode", "DCR", "DCR"),
}
