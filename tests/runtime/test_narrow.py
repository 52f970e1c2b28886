"""Types that a model carries in others: a compiled ONNX model takes and returns them as ml_dtypes' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.compiler.pipeline import CompileRequest, compile_model
from neo_magics.runtime import load


def test_a_model_takes_four_bits_and_returns_eight(tmp_path: Path) -> None:
    types = onnx.TensorProto
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["wide"], to=types.FLOAT),
        onnx.helper.make_node("Cast", ["wide"], ["y"], to=types.FLOAT8E4M3FN),
        onnx.helper.make_node("Identity", ["x"], ["z"]),
    ]
    values = [
        onnx.helper.make_tensor_value_info(name, kind, [3, 5])
        for name, kind in (("x", types.INT4), ("y", types.FLOAT8E4M3FN), ("z", types.INT4))
    ]
    graph = onnx.helper.make_graph(nodes, "narrow", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    compiled = load(_compiled(model, tmp_path))
    x = np.arange(-8, 7).reshape(3, 5).astype(ml_dtypes.int4)
    y, z = compiled(x)
    assert (y.dtype, z.dtype) == (ml_dtypes.float8_e4m3fn, ml_dtypes.int4)
    np.testing.assert_array_equal(y.astype("f4"), x.astype("f4"))
    np.testing.assert_array_equal(z.astype("i4"), x.astype("i4"))


def _compiled(model: Any, folder: Path) -> Path:
    source, out = folder / "source", folder / "out"
    source.mkdir()
    out.mkdir()
    onnx.save(model, str(source / "model.onnx"))
    platform = {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}
    request = CompileRequest(
        source, "ONNX", None, devices.resolve(platform), CompilerOptions(mcpu="native"), out
    )
    compile_model(request, lambda _event: None)
    return out
