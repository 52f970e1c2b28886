"""LSTM, GRU and RNN layers as one kernel each, against PyTorch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.capture.quiet import quiet_torch
from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import WIDTHS, kernels, run, x86_target

KINDS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}


def check(model: nn.Module, *inputs: torch.Tensor, mcpu: str = "native", dynamic: Any = None) -> None:
    with quiet_torch():
        program = torch.export.export(model.eval(), inputs, dynamic_shapes=dynamic, strict=False)
    source = program_to_module(program)
    target = x86_target(mcpu)
    names = [var.name_hint for var in kernels(source, target)[0].functions]
    assert any(name.startswith("recurrent") for name in names)
    with torch.no_grad():
        expected = torch.utils._pytree.tree_leaves(model(*inputs))
    for got, want in zip(run(source, [t.numpy() for t in inputs], target), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5)


class Flat(nn.Module):
    """The layer with flat outputs: the sequence and the last states."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        y, last = self.layer(x)
        return [y, *(last if isinstance(last, tuple) else [last])]


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize(
    "kind", ["LSTM", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("GRU", "RNN"))]
)
def test_hidden_sizes_and_lanes(kind: str, mcpu: str) -> None:
    sizes = ((64, 1), (13, 3), (272, 2), (33, 13)) if mcpu == "native" else ((13, 8),)
    for hidden, batch in sizes:
        layer = KINDS[kind](7, hidden)
        check(Flat(layer), torch.randn(5, batch, 7), mcpu=mcpu)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_layers_and_directions(kind: str, bias: bool) -> None:
    layer = KINDS[kind](6, 20, 2, bias=bias, bidirectional=True, batch_first=bias)
    check(Flat(layer), torch.randn(8, 8, 6))


def test_initial_states() -> None:
    class Given(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(5, 16, 2)

        def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> list[torch.Tensor]:
            y, (h, c) = self.layer(x, (h, c))
            return [y, h, c]

    check(Given(), torch.randn(4, 9, 5), torch.randn(2, 9, 16), torch.randn(2, 9, 16))


def test_the_batch_may_be_free() -> None:
    model = Flat(nn.LSTM(5, 16, batch_first=True))
    check(model, torch.randn(3, 6, 5), dynamic={"x": {0: torch.export.Dim("n")}})


def test_projections_are_left_to_decomposition() -> None:
    model, x = Flat(nn.LSTM(5, 16, proj_size=4)), torch.randn(4, 2, 5)
    with quiet_torch():
        source = program_to_module(torch.export.export(model.eval(), (x,), strict=False))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, about its speed
        expected = model(x)
    for got, want in zip(run(source, [x.numpy()], x86_target()), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=1e-5)
