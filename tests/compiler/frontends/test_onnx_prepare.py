"""ONNX graphs before the import: functions inlined, constants computed, without ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx.helper import make_node, make_opsetid, make_tensor_value_info

from neo_magics.compiler.frontends.onnx_expand import expanded
from neo_magics.compiler.frontends.onnx_fold import with_constants


def model(nodes: list[Any], inputs: dict[str, list[int]], output: str, opset: int, **stored: Any) -> Any:
    values = [make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    result = make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in stored.items()]
    graph = onnx.helper.make_graph(nodes, "g", values, [result], tensors)
    return onnx.helper.make_model(graph, opset_imports=[make_opsetid("", opset)], ir_version=10)


def operators(proto: Any) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def test_arithmetic_on_known_shapes_becomes_constants() -> None:
    nodes = [
        make_node("Shape", ["x"], ["s"]),
        make_node("Gather", ["s", "one"], ["d"], axis=0),
        make_node("Cast", ["d"], ["f"], to=onnx.TensorProto.FLOAT),
        make_node("Sqrt", ["f"], ["q"]),
        make_node("Mul", ["x", "q"], ["y"]),
    ]
    proto = with_constants(model(nodes, {"x": [2, 9]}, "y", 17, one=np.array(1)))
    assert operators(proto) == ["Mul"]
    found = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    assert (found["q"], found["q"].dtype) == (3, np.float32)


def test_the_branch_that_a_constant_chooses_takes_the_place_of_the_choice() -> None:
    def branch(operator: str) -> Any:
        out = make_tensor_value_info(operator, onnx.TensorProto.FLOAT, None)
        return onnx.helper.make_graph([make_node(operator, ["x"], [operator])], operator, [], [out])

    node = make_node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg"))
    proto = with_constants(model([node], {"x": [2]}, "y", 17, c=np.array(False)))
    assert operators(proto) == ["Neg", "Identity"]


def test_functions_within_functions_are_inlined_with_their_defaults() -> None:
    """SwiGLU is made of Swish, whose alpha no one says here."""
    proto = model([make_node("SwiGLU", ["a", "b"], ["y"])], {"a": [3], "b": [3]}, "y", 28)
    result = expanded(proto, lambda node: node.op_type in ("SwiGLU", "Swish"))
    assert set(operators(result)).isdisjoint({"SwiGLU", "Swish"})
    assert [entry.domain for entry in result.opset_import] == [""]
    assert all(node.attribute for node in result.graph.node if node.op_type == "Constant")


def test_a_call_that_leaves_an_input_out_is_inlined() -> None:
    """The onnx package's inliner fails on this one: "Type unknown for "."""
    inputs = {"q": [1, 2, 3, 4], "k": [1, 2, 3, 4], "v": [1, 2, 3, 4], "pk": [1, 2, 1, 4], "pv": [1, 2, 1, 4]}
    node = make_node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"])
    proto = model([node], inputs, "y", 23)
    assert "Attention" not in operators(expanded(proto, lambda node: node.op_type == "Attention"))
