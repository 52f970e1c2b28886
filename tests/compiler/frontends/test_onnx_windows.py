"""Windows whose padding follows from the size of the image, numerically equal to ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from neo_magics.errors import CompilationError
from tests.capture.onnx_models import model
from tests.compiler.frontends.oracle import agrees
from tests.compiler.frontends.test_onnx_models import weight

NHW = {"x": [None, 4, None, None]}


def pooled(kind: str, sizes: list[int | str], **attributes: Any) -> Any:
    """One node, of opset 19."""
    node = helper.make_node(kind, ["x"], ["y"], **attributes)
    return model([node], {"x": sizes}, ["y"], opset=19)


def network(sizes: list[int | str], pad: str) -> Any:
    """Every layer with automatic padding, kernels and steps of all kinds."""
    rng = np.random.default_rng(0)
    weights = {f"w{k}": rng.standard_normal(shape).astype("float32") for k, shape in enumerate(
        [(4, 4, 3, 2), (4, 1, 5, 5)]
    )}  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], strides=[2, 1], auto_pad=pad),
        helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[2, 3], strides=[2, 2], auto_pad=pad),
        helper.make_node("Conv", ["b", "w1"], ["c"], strides=[1, 2], group=4, auto_pad=pad),
        helper.make_node("AveragePool", ["x"], ["d"], kernel_shape=[3, 2], strides=[2, 2], auto_pad=pad),
    ]
    return model(nodes, {"x": sizes}, ["b", "c", "d"], weights, opset=19)


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
def test_automatic_padding_of_known_sizes(pad: str) -> None:
    """TVM: rounded SAME_LOWER down for the maximum."""
    agrees(network([2, 4, 9, 7], pad), weight(2, 4, 9, 7))


def test_a_stride_longer_than_its_window() -> None:
    """TVM: padded by less than nothing."""
    proto = pooled("MaxPool", [1, 2, 7, 8], kernel_shape=[1, 2], strides=[3, 3], auto_pad="SAME_UPPER")
    agrees(proto, weight(1, 2, 7, 8))


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("height", [8, 9])
def test_automatic_padding_of_free_sizes(pad: str, height: int) -> None:
    """As TensorFlow's exporters write it. TVM: failed."""
    feeds = {"x": weight(3, 4, height, 6)}
    agrees(network(["n", 4, "h", "w"], pad), weight(2, 4, 9, 7), feeds=feeds, input_shape=NHW)


def test_padding_that_counts_is_refused_by_name() -> None:
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER", "count_include_pad": 1}
    proto = pooled("AveragePool", ["n", 4, "h", "w"], **window)
    with pytest.raises(CompilationError, match=r"AveragePool .* with padding that counts"):
        agrees(proto, weight(1, 4, 6, 6), input_shape=NHW)
