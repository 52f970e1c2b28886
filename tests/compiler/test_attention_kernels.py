"""Attention in all the ways in which models write it: one kernel, and the numbers of PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import WIDTHS, kernels, run, x86_target

functional = torch.nn.functional


class Heads(nn.Module):
    """Self-attention over (batch, length, width), its inner part given."""

    def __init__(self, heads: int, attend: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.heads, self.attend = heads, attend

    def forward(self, x: torch.Tensor, *masks: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        q, k, v = (
            t.reshape(batch, length, self.heads, -1).transpose(1, 2) for t in (x, x * 0.5 + 0.1, x * x)
        )
        joined = self.attend(q, k, v, *masks)
        return joined.transpose(1, 2).reshape(batch, length, width)


def fused(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Any = None) -> torch.Tensor:
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def causal(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def written_out(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: Any = None) -> torch.Tensor:
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    return torch.softmax(scores if mask is None else scores + mask, -1) @ v


def filled(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    scores = (q * 0.3) @ k.transpose(-1, -2)
    return scores.masked_fill(mask, -1e9).softmax(-1) @ v


def kept(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    scores = torch.where(mask, q @ k.transpose(-1, -2), torch.tensor(-1e4))
    return scores.softmax(-1) @ v


def compiled(model: nn.Module, *inputs: torch.Tensor, mcpu: str = "native") -> tuple[np.ndarray, int]:
    """The result, and how many kernels of attention there are."""
    source = program_to_module(torch.export.export(model.eval(), inputs, strict=False))
    target = x86_target(mcpu)
    count = sum(var.name_hint.startswith("attention") for var in kernels(source, target)[0].functions)
    return run(source, [t.numpy() for t in inputs], target)[0], count


def check(model: nn.Module, *inputs: torch.Tensor, mcpu: str = "native", attentions: int = 1) -> None:
    got, count = compiled(model, *inputs, mcpu=mcpu)
    with torch.no_grad():
        np.testing.assert_allclose(got, model(*inputs).numpy(), atol=3e-5, rtol=1e-4)
    assert count == attentions


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("shape", [(1, 128, 64), (2, 77, 40), (3, 13, 28), (1, 197, 48)])
def test_lengths_and_widths(shape: tuple[int, ...], mcpu: str) -> None:
    check(Heads(4, fused), torch.randn(shape), mcpu=mcpu)


@pytest.mark.parametrize("attend", [fused, written_out])
@pytest.mark.parametrize("mask_shape", [(2, 1, 1, 21), (2, 1, 21, 21), (21, 21), (2, 4, 21, 21)])
def test_masks_that_are_added(attend: Any, mask_shape: tuple[int, ...]) -> None:
    mask = torch.where(torch.rand(mask_shape) > 0.3, 0.0, -10000.0)
    check(Heads(4, attend), torch.randn(2, 21, 32), mask)


@pytest.mark.parametrize("attend", [fused, filled, kept])
@pytest.mark.parametrize("mask_shape", [(2, 1, 1, 21), (21, 21)])
def test_masks_that_choose(attend: Any, mask_shape: tuple[int, ...]) -> None:
    check(Heads(4, attend), torch.randn(2, 21, 32), torch.rand(mask_shape) > 0.4)


def test_a_row_that_is_masked_altogether_gives_zeros_as_in_pytorch() -> None:
    mask = torch.rand(2, 1, 21, 21) > 0.4
    mask[:, :, 3] = False
    check(Heads(4, fused), torch.randn(2, 21, 32), mask)


def test_causal() -> None:
    check(Heads(2, causal), torch.randn(2, 33, 32))


@pytest.mark.parametrize("batch_first", [True, False])
def test_pytorchs_own_layers(batch_first: bool) -> None:
    layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=batch_first)
    check(layer, torch.randn(18, 18, 32))


def test_other_queries_than_keys() -> None:
    class Cross(nn.Module):
        def forward(self, q: torch.Tensor, kv: torch.Tensor) -> torch.Tensor:
            k, v = kv.split(24, dim=-1)
            return fused(q, k, v)

    check(Cross(), torch.randn(2, 3, 19, 24), torch.randn(2, 3, 50, 48))


def test_weights_that_are_asked_for_too_are_computed_as_well() -> None:
    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            weights = torch.softmax(x @ x.transpose(-1, -2), -1)
            return weights @ x, weights

    model, x = Both(), torch.randn(2, 20, 8)
    source = program_to_module(torch.export.export(model, (x,)))
    for got, expected in zip(run(source, [x.numpy()], x86_target()), model(x), strict=True):
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)


def test_the_batch_may_be_free() -> None:
    class Plain(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = Heads(4, fused)(x)
            return result

    batch = {"x": {0: torch.export.Dim("n")}}
    program = torch.export.export(Plain(), (torch.randn(2, 20, 32),), dynamic_shapes=batch, strict=False)
    source = program_to_module(program)
    assert any(var.name_hint.startswith("attention") for var in kernels(source, x86_target())[0].functions)
    for count in (1, 5):
        x = torch.randn(count, 20, 32)
        np.testing.assert_allclose(run(source, [x.numpy()], x86_target())[0], Plain()(x).numpy(), atol=1e-5)


@pytest.mark.slow
@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(8, 70), st.integers(1, 40))
def test_any_sizes(batch: int, heads: int, length: int, depth: int) -> None:
    model, x = Heads(heads, written_out), torch.randn(batch, length, heads * depth)
    check(model, x)
