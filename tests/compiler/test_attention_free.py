"""Attention over sequences whose length only a call decides: one kernel, the numbers of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import kernels, run, x86_target
from tests.compiler.test_attention_kernels import Heads, causal, fused, written_out

N = torch.export.Dim("n", min=2, max=512)
M = torch.export.Dim("m", min=2, max=512)
BATCH = torch.export.Dim("batch", min=1, max=64)


def check(model: nn.Module, dims: Sequence[Any], *calls: Sequence[torch.Tensor], attentions: int = 1) -> None:
    model = model.eval()
    program = torch.export.export(model, tuple(calls[0]), dynamic_shapes=tuple(dims), strict=False)
    source, target = program_to_module(program), x86_target()
    found = [var for var in kernels(source, target)[0].functions if var.name_hint.startswith("attention")]
    assert len(found) == attentions
    for inputs in calls:
        [got] = run(source, [tensor.numpy() for tensor in inputs], target)
        with torch.no_grad():
            np.testing.assert_allclose(got, model(*inputs).numpy(), atol=3e-5, rtol=1e-4)


class Own(nn.Module):
    """Self-attention with an optional mask; `dynamic_shapes` wants named arguments, not a tuple of masks."""

    def __init__(self, attend: Any) -> None:
        super().__init__()
        self.heads = Heads(4, attend)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined: torch.Tensor = self.heads(x)
        return joined


class Masked(Own):
    """The same with a mask."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        joined: torch.Tensor = self.heads(x, mask)
        return joined


SLOWER = [pytest.param(attend, marks=pytest.mark.slow) for attend in (written_out, causal)]


@pytest.mark.parametrize("attend", [fused, *SLOWER])
def test_one_free_length(attend: Any) -> None:
    check(Own(attend), [{1: N}], *([torch.randn(1, length, 48)] for length in (20, 3, 130)))


@pytest.mark.slow
def test_batch_and_length_are_free() -> None:
    sizes = (2, 20), (3, 7), (1, 65)
    check(Own(fused), [{0: BATCH, 1: N}], *([torch.randn(*size, 48)] for size in sizes))


def test_a_mask_of_keys_of_free_length() -> None:
    calls = [[torch.randn(2, n, 48), torch.rand(2, 1, 1, n) > 0.3] for n in (20, 33)]
    check(Masked(fused), [{1: N}, {3: N}], *calls)


@pytest.mark.slow
def test_a_mask_of_queries_and_keys_of_free_length() -> None:
    calls = [[torch.randn(2, n, 48), torch.randn(1, 1, n, n)] for n in (20, 33)]
    check(Masked(written_out), [{1: N}, {2: N, 3: N}], *calls)


def test_queries_and_keys_of_two_free_lengths() -> None:
    class Cross(nn.Module):
        def forward(self, q: torch.Tensor, kv: torch.Tensor) -> torch.Tensor:
            k, v = kv.split(24, dim=-1)
            return fused(q, k, v)

    calls = [[torch.randn(1, 3, n, 24), torch.randn(1, 3, m, 48)] for n, m in ((19, 50), (3, 4), (40, 7))]
    check(Cross(), [{2: N}, {2: M}], *calls)


@pytest.mark.slow
def test_pytorchs_own_layer() -> None:
    layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
    check(layer, [{1: N}], *([torch.randn(1, length, 32)] for length in (18, 50)))


def test_a_cache_of_free_length() -> None:
    class Step(nn.Module):
        def forward(self, new: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
            k, v = torch.cat([past[0], new * 0.5], 2), torch.cat([past[1], new + 1.0], 2)
            joined: torch.Tensor = fused(new, k, v).transpose(1, 2).flatten(2)
            return joined

    calls = [[torch.randn(1, 3, 1, 20), torch.randn(2, 1, 3, n, 20)] for n in (20, 3, 77)]
    check(Step(), [{}, {3: N}], *calls)
