"""Models that ONNX Runtime's quantisation writes, in its three forms, against ONNX Runtime."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from neo_magics.capture.source import open_source, rounding
from tests.capture.onnx_models import model
from tests.compiler.frontends.oracle import agrees, run

RNG = np.random.default_rng(0)
IMAGE = RNG.standard_normal((2, 4, 12, 12)).astype("float32")


class Images(CalibrationDataReader):  # type: ignore[misc]
    """A few images, one after the other."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.left = [{"x": rng.standard_normal(IMAGE.shape).astype("float32")} for _ in range(4)]

    def get_next(self) -> Any:
        return self.left.pop() if self.left else None


def network() -> Any:
    """Two convolutions, a residual sum, pooling and a matrix product."""
    rng = np.random.default_rng(2)
    weights = {
        name: (0.3 * rng.standard_normal(shape)).astype("float32")
        for name, shape in {
            "w": (16, 4, 3, 3),
            "b": (16,),
            "v": (16, 16, 3, 3),
            "m": (16, 10),
            "c": (10,),
        }.items()
    }
    nodes = [
        make_node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1], name="first"),
        make_node("Relu", ["a"], ["r"], name="relu"),
        make_node("Conv", ["r", "v"], ["d"], pads=[1, 1, 1, 1], name="second"),
        make_node("Add", ["r", "d"], ["s"], name="sum"),
        make_node("GlobalAveragePool", ["s"], ["p"], name="pool"),
        make_node("Flatten", ["p"], ["f"], name="flat"),
        make_node("Gemm", ["f", "m", "c"], ["y"], name="head"),
    ]
    return model(nodes, {"x": list(IMAGE.shape)}, ["y"], weights)


def quantised(folder: Path, **options: Any) -> Path:
    source, target = folder / "float.onnx", folder / "model.onnx"
    onnx.save(network(), str(source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if options:
            quantize_static(str(source), str(target), Images(), **options)
        else:
            quantize_dynamic(str(source), str(target), weight_type=QuantType.QUInt8)
    return target


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_static_quantisation(form: Any, signed: bool, tmp_path: Path) -> None:
    kind = QuantType.QInt8 if signed else QuantType.QUInt8
    path = quantised(
        tmp_path, quant_format=form, activation_type=kind, weight_type=QuantType.QInt8, per_channel=signed
    )
    agrees(path, IMAGE, tolerance=0.05)  # a quantum of the result is 0.02


def test_dynamic_quantisation(tmp_path: Path) -> None:
    agrees(quantised(tmp_path), IMAGE, tolerance=1e-3)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_recurrent_layers_of_dynamic_quantisation(tmp_path: Path, direction: str, per_channel: bool) -> None:
    """What quantize_dynamic makes of an LSTM; it was refused."""
    numbers, count = np.random.default_rng(0), 2 if direction == "bidirectional" else 1
    shapes = {"w": (count, 32, 6), "r": (count, 32, 8), "b": (count, 64)}
    weights = {name: numbers.uniform(-0.5, 0.5, shape).astype("float32") for name, shape in shapes.items()}
    layer = make_node("LSTM", ["x", "w", "r", "b"], ["y", "h", "c"], hidden_size=8, direction=direction)
    onnx.save(model([layer], {"x": [7, 3, 6]}, ["y", "h", "c"], weights), str(tmp_path / "float.onnx"))
    source, target = str(tmp_path / "float.onnx"), tmp_path / "model.onnx"
    quantize_dynamic(source, str(target), weight_type=QuantType.QInt8, per_channel=per_channel)
    assert "DynamicQuantizeLSTM" in [node.op_type for node in onnx.load(str(target)).graph.node]
    x = numbers.standard_normal((7, 3, 6)).astype("float32")
    result = agrees(target, x, tolerance=0.03)
    (tmp_path / "float.onnx").unlink()
    reference = open_source(tmp_path, "ONNX")
    expected = reference.run({"x": x})
    allowed, got = rounding(reference), run(result, {"x": x})
    for name, value in expected.items():
        assert 0 < np.abs(got[name] - value).max() < allowed[name] < 0.05
