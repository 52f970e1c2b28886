"""Each kernel call knows the layers that it came from, whatever the passes made of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.artifact.kernels import KernelTable
from neo_magics.compiler.frontends.onnx import import_folder
from neo_magics.compiler.frontends.pytorch import import_program
from neo_magics.compiler.pipeline import optimize
from tests.compiler.models import x86_target


def table_of(model: torch.nn.Module, *inputs: torch.Tensor) -> KernelTable:
    """The kernels that a PyTorch model is compiled to."""
    program = torch.export.export(model.eval(), inputs)
    return optimize(import_program(program, None).module, x86_target(), lambda _event: None).kernels


def layers(table: KernelTable) -> list[set[str]]:
    """The layers of each call, in order."""
    return [{source.place for source in call.sources} for call in table.calls]


class Residual(torch.nn.Module):
    """Two blocks alike, so that they share kernels, and a pooled head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 16, 3, padding=1)
        self.pool = torch.nn.MaxPool2d(2)
        self.convs = torch.nn.ModuleList(torch.nn.Conv2d(16, 16, 3, padding=1, bias=False) for _ in range(2))
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(16) for _ in range(2))
        self.act = torch.nn.ReLU()
        self.head = torch.nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.stem(x))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = self.act(norm(conv(x)))
        return self.head(x.mean((2, 3)))


def test_convolution_norm_and_activation_are_one_kernel_with_three_layers() -> None:
    table = table_of(Residual(), torch.randn(1, 3, 16, 16))
    found = layers(table)
    assert {"convs.0 Conv2d", "norms.0 BatchNorm2d", "act"} in found
    assert {"convs.1 Conv2d", "norms.1 BatchNorm2d", "act"} in found
    assert {"pool"} in found
    assert found[-1] == {"head"}


def test_calls_of_one_kernel_keep_their_own_layers() -> None:
    table = table_of(Residual(), torch.randn(1, 3, 16, 16))
    (first,) = [call for call in table.calls if "convs.0" in {source.layer for source in call.sources}]
    (second,) = [call for call in table.calls if "convs.1" in {source.layer for source in call.sources}]
    assert first.kernel == second.kernel
    assert [kernel.name for kernel in table.kernels].count(first.kernel) == 1


def test_a_source_says_class_and_operator() -> None:
    table = table_of(Residual(), torch.randn(1, 3, 16, 16))
    sources = {source.layer: source for call in table.calls for source in call.sources}
    assert (sources["convs.0"].kind, sources["convs.0"].operator) == ("Conv2d", "convolution")


def test_every_call_of_an_encoder_has_a_layer() -> None:
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0)
    table = table_of(layer, torch.randn(1, 10, 32))
    assert table.calls
    assert all(call.sources for call in table.calls)
    named = set().union(*layers(table))
    assert {"linear1", "linear2", "norm1", "norm2"} <= named


def test_the_layers_of_a_model_without_weights() -> None:
    class Plain(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(x * 2, -1)

    (call, *_more) = table_of(Plain(), torch.randn(4, 8)).calls
    assert {source.place for source in call.sources} <= {"mul", "_softmax", "softmax"}


def test_onnx_nodes_by_name() -> None:
    weight = np.random.default_rng(0).standard_normal((16, 3, 3, 3)).astype("float32")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="/stem/conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="/stem/act"),
        helper.make_node("GlobalAveragePool", ["r"], ["y"], name="/pool"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / "model.onnx")
        imported: Any = import_folder(Path(folder), None, CompilerOptions())
    found = layers(optimize(imported.module, x86_target(), lambda _event: None).kernels)
    assert {"/stem/conv", "/stem/act"} in found
    assert "/pool" in set().union(*found)
