"""The linear layers before an attention become one product, whose parts it reads where they lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import kernels, run, x86_target


class Projected(nn.Module):
    """Attention of `x` to `memory` (itself where there is none) behind linear layers."""

    def __init__(
        self, width: int, heads: int, *, biases: tuple[bool, bool, bool] = (True, True, True)
    ) -> None:
        super().__init__()
        self.heads = heads
        self.layers = nn.ModuleList(nn.Linear(width, width, bias=bias) for bias in biases)

    def forward(self, x: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
        memory = x if memory is None else memory
        values = [layer(y) for layer, y in zip(self.layers, (x, memory, memory), strict=True)]
        q, k, v = (value.unflatten(-1, (self.heads, -1)).transpose(1, 2) for value in values)
        mixed: torch.Tensor = nn.functional.scaled_dot_product_attention(q, k, v)
        return mixed.transpose(1, 2).flatten(2)


def products(model: nn.Module, *inputs: torch.Tensor) -> int:
    """How many matrix products the compiled model calls, after comparing its result with PyTorch's."""
    source = program_to_module(torch.export.export(model.eval(), inputs, strict=False))
    [got] = run(source, [tensor.numpy() for tensor in inputs], x86_target())
    with torch.no_grad():
        np.testing.assert_allclose(got, model(*inputs).numpy(), atol=2e-5, rtol=1e-4)
    lowered, _refused = kernels(source, x86_target())
    return str(lowered["main"].script()).count("packed_matmul")


@pytest.mark.parametrize("shape", [(1, 77, 36), (2, 13, 64)])
def test_queries_keys_and_values_are_one_product(shape: tuple[int, ...]) -> None:
    assert products(Projected(shape[-1], 4), torch.randn(shape)) == 1


def test_the_order_in_which_they_are_computed_is_free() -> None:
    class Reversed(Projected):
        def forward(self, x: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
            v, k, q = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in self.layers)
            mixed: torch.Tensor = nn.functional.scaled_dot_product_attention(q, k, v)
            return mixed.transpose(1, 2).flatten(2)

    assert products(Reversed(32, 2), torch.randn(1, 20, 32)) == 1


def test_a_missing_bias_counts_as_zeros() -> None:
    assert products(Projected(32, 2, biases=(True, False, True)), torch.randn(1, 20, 32)) == 1


def test_keys_and_values_of_another_input() -> None:
    assert products(Projected(32, 2), torch.randn(1, 20, 32), torch.randn(1, 9, 32)) == 2


def test_what_is_read_elsewhere_stays_alone() -> None:
    class Kept(Projected):
        def forward(self, x: torch.Tensor, memory: torch.Tensor | None = None) -> torch.Tensor:
            mixed: torch.Tensor = super().forward(x) + self.layers[0](x)
            return mixed

    assert products(Kept(32, 2), torch.randn(1, 20, 32)) <= 3
