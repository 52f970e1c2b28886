"""Small real ONNX models, and archives of them, right and wrong."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data


def dense(inputs: int = 8, outputs: int = 4, *, scale: float = 1.0, operator: str = "Relu") -> bytes:
    """x[1, inputs] → one matmul, one activation → y[1, outputs]."""
    weights = np.random.default_rng(0).standard_normal((inputs, outputs)).astype(np.float32) * scale
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node(operator, ["h"], ["y"]),
        ],
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def apart() -> dict[str, bytes]:
    """`dense()` with its weights in a file of their own."""
    model = onnx.load_model_from_string(dense())
    [weights] = model.graph.initializer
    content = bytes(weights.raw_data)
    set_external_data(weights, "weights.bin", 0, len(content))
    weights.ClearField("raw_data")
    return {"net.onnx": model.SerializeToString(), "weights.bin": content}


def custom() -> bytes:
    """A valid model of two operators that no importer knows."""
    graph = helper.make_graph(
        [
            helper.make_node("Frobnicate", ["x"], ["h"], domain="my.own"),
            helper.make_node("Twiddle", ["h"], ["y"], domain="my.own"),
        ],
        "custom",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)]
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    return bytes(model.SerializeToString())


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of `files`, the same bytes at any time."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed_bytes,
        tarfile.open(fileobj=packed_bytes, mode="w") as tar,
    ):
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
