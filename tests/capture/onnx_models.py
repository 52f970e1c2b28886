"""Small ONNX models built by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Shape],
    outputs: Sequence[str],
    weights: Mapping[str, np.ndarray] | None = None,
    dtypes: Mapping[str, int] | None = None,
    opset: int = 17,
) -> Any:
    """A ModelProto; `dtypes` of inputs and outputs other than float32."""
    kinds = dtypes or {}
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), s) for n, s in inputs.items()],
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), None) for n in outputs],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def perceptron(batch: int | str = 2) -> Any:
    """x (batch, 4) → relu(x @ w + b) "scores/out" (batch, 3)."""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.standard_normal((4, 3)).astype("float32"),
        "b": rng.standard_normal(3).astype("float32"),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Add", ["h", "b"], ["s"]),
        helper.make_node("Relu", ["s"], ["scores/out"]),
    ]
    return model(nodes, {"x": [batch, 4]}, ["scores/out"], weights)


def save_apart(proto: Any, path: Any) -> None:
    """Save with the weights in a file of their own."""
    onnx.save(proto, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
