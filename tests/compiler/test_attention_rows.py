"""Attention of a few queries, and of a decoder's step: one kernel that reads the cache where it lies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from tvm import relax

from neo_magics.compiler.frontends.torch_program import program_to_module
from neo_magics.compiler.passes.fuse_attention import FuseAttention
from tests.compiler.models import x86_target
from tests.compiler.test_attention_kernels import Heads, check, filled, fused, kept, written_out


class Cross(nn.Module):
    """Queries of their own over keys and values that are given."""

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return fused(q, k, v)


class Cached(nn.Module):
    """What a step adds goes behind the cache, or before it; `past` is [2, batch, heads, tokens, width]."""

    def __init__(self, attend: object = fused, *, behind: bool = True) -> None:
        super().__init__()
        self.attend, self.behind = attend, behind

    def forward(self, new: torch.Tensor, past: torch.Tensor, *mask: torch.Tensor) -> torch.Tensor:
        q, k, v = new, new * 0.5, new + 1.0
        pairs = [[past[0], k], [past[1], v]]
        keys, values = (torch.cat(pair if self.behind else pair[::-1], 2) for pair in pairs)
        joined: torch.Tensor = self.attend(q, keys, values, *mask)  # type: ignore[operator]
        return joined.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("queries", "keys", "depth", "width"), [(1, 128, 64, 64), (1, 77, 28, 33), (3, 40, 17, 64), (7, 5, 3, 1)]
)
def test_few_queries(queries: int, keys: int, depth: int, width: int, mcpu: str) -> None:
    sizes = (queries, depth), (keys, depth), (keys, width)
    check(Cross(), *(torch.randn(2, 3, *size) for size in sizes), mcpu=mcpu)


@pytest.mark.slow
@pytest.mark.parametrize("attend", [filled, kept])
def test_masks_that_choose(attend: object) -> None:
    check(Heads(4, attend), torch.randn(2, 5, 32), torch.rand(2, 1, 5, 5) > 0.4)  # type: ignore[arg-type]


@pytest.mark.slow
def test_masks_that_are_added_and_rows_that_are_masked_altogether() -> None:
    mask = torch.where(torch.rand(2, 1, 1, 5) > 0.3, 0.0, -10000.0)
    check(Heads(4, written_out), torch.randn(2, 5, 32), mask)
    nothing = torch.rand(2, 1, 5, 5) > 0.4
    nothing[:, :, 3] = False
    check(Heads(4, fused), torch.randn(2, 5, 32), nothing)


@pytest.mark.parametrize(
    ("tokens", "added", "width", "behind"), [(127, 1, 64, True), (76, 2, 20, False), (1, 1, 5, True)]
)
def test_a_cache(tokens: int, added: int, width: int, behind: bool) -> None:
    new, past = torch.randn(2, 3, added, width), torch.randn(2, 2, 3, tokens, width)
    check(Cached(behind=behind), new, past)


def test_a_cache_is_read_where_it_lies() -> None:
    new, past = torch.randn(1, 3, 1, 16), torch.randn(2, 1, 3, 20, 16)
    source = program_to_module(torch.export.export(Cached(), (new, past), strict=False))
    rewritten = relax.transform.DeadCodeElimination(["main"])(FuseAttention(x86_target().machine)(source))
    text = rewritten["main"].script()
    assert "call_tir(attention" in text
    assert not any(name in text for name in ("concat", "take", "strided_slice"))


def test_a_mask_over_a_cache() -> None:
    new, past = torch.randn(2, 3, 1, 16), torch.randn(2, 2, 3, 20, 16)
    check(Cached(), new, past, torch.rand(2, 1, 1, 21) > 0.4)


def test_keys_that_are_joined_otherwise_than_values() -> None:
    class Uneven(nn.Module):
        def forward(self, q: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return fused(q, torch.cat([a, b], 2), torch.cat([b, a], 2))

    check(Uneven(), torch.randn(1, 2, 1, 8), torch.randn(1, 2, 9, 8), torch.randn(1, 2, 4, 8))


@pytest.mark.slow
def test_keys_whose_elements_are_joined() -> None:
    class Turned(nn.Module):
        def forward(self, q: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return fused(q, torch.cat([a, b], 3), torch.cat([b, a], 3))

    check(Turned(), torch.randn(1, 2, 1, 16), torch.randn(1, 2, 9, 8), torch.randn(1, 2, 9, 8))


@pytest.mark.slow
def test_slices_of_other_rows_and_every_second_one() -> None:
    class Sliced(nn.Module):
        def forward(self, q: torch.Tensor, kv: torch.Tensor) -> torch.Tensor:
            return fused(q, kv[:, :, -11:-2], kv[:, :, 1:18:2])

    check(Sliced(), torch.randn(1, 2, 3, 8), torch.randn(1, 2, 20, 8))
    check(Sliced(), torch.randn(1, 2, 20, 8), torch.randn(1, 2, 20, 8))


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 40), st.integers(1, 40))
def test_any_sizes(heads: int, queries: int, tokens: int, depth: int) -> None:
    check(Cached(written_out), torch.randn(1, heads, queries, depth), torch.randn(2, 1, heads, tokens, depth))
