"""Operators that ONNX Runtime's optimisers write (com.microsoft), against ONNX Runtime.

TVM's importer knows none of them under that domain. Those of a family are one model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto
from onnx.helper import make_node

from neo_magics.errors import UnsupportedOperatorsError
from tests.capture.onnx_models import model
from tests.compiler.frontends.oracle import agrees, imported

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((2, 7, 16)).astype("float32")
MASK = (np.arange(7)[None] < [[5], [7]]).astype("int32")
INTEGERS = {"ids", "kinds", "mask", "lengths"}


def weight(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype("float32")


def fused(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node; its inputs and outputs apart by spaces, "-" for one that is left out."""
    names = [[("" if name == "-" else name) for name in text.split()] for text in (inputs, outputs)]
    domain = "" if operator == "SimplifiedLayerNormalization" else "com.microsoft"
    return make_node(operator, *names, domain=domain, **attributes)


def hold(
    nodes: list[Any], feeds: dict[str, np.ndarray], weights: dict[str, np.ndarray], **given: Any
) -> None:
    """Assert that a model of `nodes` agrees with ONNX Runtime; its outputs are all that they make."""
    outputs = [name for node in nodes for name in node.output if name]
    kinds = dict.fromkeys(name for name in feeds if name in INTEGERS) | {"counts": None}
    inputs = {name: array.shape for name, array in feeds.items()}
    proto = model(nodes, inputs, outputs, weights, dict.fromkeys(kinds, TensorProto.INT32))
    proto.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    agrees(proto, feeds, **given)


def test_activations() -> None:
    nodes = [
        fused("Gelu", "x", "gelu"),
        fused("BiasGelu", "x b", "biased"),
        fused("FastGelu", "x b", "fast"),
        fused("FastGelu", "x", "unbiased"),
        fused("QuickGelu", "x", "quick"),
        fused("QuickGelu", "x", "silu", alpha=1.0),
    ]
    hold(nodes, {"x": ROWS}, {"b": weight(16)})


def test_normalisations_and_the_sums_before_them() -> None:
    nodes = [
        fused("SkipLayerNormalization", "x s g b c", "whole - - sum"),
        fused("SkipLayerNormalization", "x row g", "plain", epsilon=1e-3),
        fused("SkipSimplifiedLayerNormalization", "x s g c", "rms - - total"),
        fused("SimplifiedLayerNormalization", "x g", "simple", axis=-1, epsilon=1e-6),
    ]
    weights = {"g": weight(16), "b": weight(16), "c": weight(16), "row": weight(7, 16)}
    hold(nodes, {"x": ROWS, "s": weight(2, 7, 16)}, weights)


def test_embeddings() -> None:
    nodes = [
        fused("EmbedLayerNormalization", "ids kinds words places types g b mask", "all counts sum"),
        fused("EmbedLayerNormalization", "ids - words places - g b", "words_only -"),
    ]
    weights = {"words": weight(10, 16), "places": weight(12, 16), "types": weight(2, 16)}
    ids = RNG.integers(0, 10, (2, 7)).astype("int32")
    feeds = {"ids": ids, "kinds": ids % 2, "mask": MASK}
    hold(nodes, feeds, weights | {"g": weight(16), "b": weight(16)})


def test_products() -> None:
    nodes = [
        fused("FusedMatMul", "x y", "scaled", transB=1, alpha=0.5),
        fused("FusedMatMul", "x x", "turned", transA=1),
        fused("FusedMatMul", "t u", "batches", transBatchA=1),
        fused("FusedGemm", "r w c", "gemm", transB=1, activation="LeakyRelu", activation_alpha=0.2),
    ]
    feeds = {
        "x": ROWS,
        "y": weight(2, 5, 16),
        "t": weight(7, 2, 16),
        "u": weight(2, 16, 4),
        "r": weight(3, 16),
    }
    hold(nodes, feeds, {"w": weight(5, 16), "c": weight(5)})


def test_convolutions() -> None:
    pads = {"pads": [1, 1, 1, 1]}
    nodes = [
        fused("FusedConv", "x w b z", "sum", activation="Relu", **pads),
        fused("FusedConv", "x w b", "clip", activation="Clip", activation_params=[0.0, 6.0], **pads),
        fused("FusedConv", "x w", "hard", activation="HardSigmoid", activation_params=[0.3, 0.4], **pads),
    ]
    feeds = {"x": weight(1, 3, 6, 6), "z": weight(1, 8, 6, 6)}
    hold(nodes, feeds, {"w": weight(8, 3, 3, 3), "b": weight(8)})


def test_attention() -> None:
    heads = {"num_heads": 4}
    nodes = [
        fused("Attention", "x w b", "plain", **heads),
        fused("Attention", "x w b mask", "masked", **heads),
        fused("Attention", "x w b lengths", "cut", scale=0.2, **heads),
        fused("Attention", "x w b mask", "ahead", unidirectional=1, **heads),
        fused("Attention", "x v c", "narrow", qkv_hidden_sizes=[16, 16, 32], **heads),
        fused("MultiHeadAttention", "x k k b", "cross", **heads),
        fused("MultiHeadAttention", "x x x - mask bias", "biased", **heads),
    ]
    feeds = {"x": ROWS, "k": weight(2, 5, 16), "mask": MASK, "lengths": np.int32([5, 7])}
    weights = {"w": 0.3 * weight(16, 48), "b": weight(48), "v": 0.3 * weight(16, 64), "c": weight(64)}
    hold(nodes, feeds, weights | {"bias": weight(1, 4, 7, 7)})


def test_weights_of_a_few_bits() -> None:
    form = {"K": 24, "N": 5, "block_size": 16}
    nodes = [
        fused("MatMulNBits", "x codes scales", "four", bits=4, **form),
        fused("MatMulNBits", "x codes scales zeros", "moved", bits=4, **form),
        fused("MatMulNBits", "x wide scales", "eight", bits=8, **form),
        fused("DynamicQuantizeMatMul", "x b scale zero bias", "dynamic"),
    ]
    weights = {
        "codes": RNG.integers(0, 256, (5, 2, 8)).astype("uint8"),
        "wide": RNG.integers(0, 256, (5, 2, 16)).astype("uint8"),
        "scales": 0.1 * np.abs(weight(10)),
        "zeros": RNG.integers(0, 256, 5).astype("uint8"),
        "b": RNG.integers(-128, 128, (24, 5)).astype("int8"),
        "scale": np.float32([0.02]), "zero": np.int8([3]), "bias": weight(5),
    }  # fmt: skip
    hold(nodes, {"x": weight(2, 7, 24)}, weights, tolerance=2e-3)


def encoder_layer() -> Any:
    """A layer of a transformer in standard operators, as exporters write it."""
    nodes = [
        make_node("MatMul", ["x", "w"], ["h"]),
        make_node("Add", ["h", "b"], ["hb"]),
        make_node("Div", ["hb", "root"], ["d"]),
        make_node("Erf", ["d"], ["e"]),
        make_node("Add", ["e", "one"], ["p"]),
        make_node("Mul", ["hb", "p"], ["m"]),
        make_node("Mul", ["m", "half"], ["gelu"]),
        make_node("MatMul", ["gelu", "v"], ["o"]),
        make_node("Add", ["o", "c"], ["oc"]),
        make_node("Add", ["oc", "x"], ["s"]),
        make_node("LayerNormalization", ["s", "g", "a"], ["n"]),
        make_node("Transpose", ["n"], ["t"], perm=[0, 2, 1]),
        make_node("MatMul", ["n", "t"], ["y"]),
    ]
    weights = {"w": weight(16, 32), "b": weight(32), "v": weight(32, 16), "c": weight(16)}
    weights |= {"g": weight(16), "a": weight(16)}
    weights |= {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    return model(nodes, {"x": [2, 7, 16]}, ["y"], weights)


def optimised(proto: Any, path: Path, level: str) -> Any:
    """`proto` as ONNX Runtime saves it after its own optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(str(path))


def test_a_model_that_onnx_runtime_has_optimised(tmp_path: Path) -> None:
    proto = optimised(encoder_layer(), tmp_path / "model.onnx", "ORT_ENABLE_EXTENDED")
    assert {node.op_type for node in proto.graph.node} >= {"Gelu", "FusedMatMul", "SkipLayerNormalization"}
    agrees(proto, ROWS)


def test_layouts_of_one_cpu_are_refused_with_what_to_do(tmp_path: Path) -> None:
    node = make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    proto = model([node], {"x": [1, 16, 8, 8]}, ["y"], {"w": weight(16, 16, 3, 3)})
    optimised(proto, tmp_path / "model.onnx", "ORT_ENABLE_ALL")
    with pytest.raises(UnsupportedOperatorsError, match=r"nchwc\.Conv \(.* below ORT_ENABLE_ALL"):
        imported(tmp_path, "ONNX")
