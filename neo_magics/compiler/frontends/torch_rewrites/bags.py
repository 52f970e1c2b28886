"""Embeddings that TVM lacks: sums, means and maxima of rows, and rows of bounded length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SUM, _MEAN = 0, 1


def rewrites() -> dict[Any, Callable[..., Any]]:
    """nn.EmbeddingBag, and nn.Embedding with max_norm."""
    import torch

    aten = torch.ops.aten
    return {
        aten._embedding_bag.default: _embedding_bag,
        aten._embedding_bag_forward_only.default: _embedding_bag,
        aten.embedding_renorm.default: _renormed,
    }


def with_even_bags(program: Any) -> dict[Any, Callable[..., Any]]:
    """For a program whose bags are the rows of a matrix: nn.EmbeddingBag makes their offsets with arange."""
    import torch

    aten = torch.ops.aten
    bags = (aten._embedding_bag.default, aten._embedding_bag_forward_only.default)
    found = [node for node in program.graph.nodes if node.target in bags]
    even = found and all(str(getattr(node.args[2], "target", "")).startswith("aten.arange") for node in found)
    return dict.fromkeys(bags, _even_bags) if even else {}


def _even_bags(
    weight: Any, indices: Any, offsets: Any, _by_frequency: bool = False, mode: int = _SUM,
    _sparse: bool = False, factors: Any = None, with_end: bool = False, padding: int = -1,
) -> Any:  # fmt: skip
    """As `_embedding_bag`, for bags of one size."""
    import torch

    count = offsets.shape[0]
    rows = weight.index_select(0, indices)
    rows = rows if factors is None else rows * factors[:, None]
    if with_end or padding >= 0 or not (isinstance(count, int) and isinstance(indices.shape[0], int)):
        return _embedding_bag(weight, indices, offsets, False, mode, False, factors, with_end, padding)
    bags = rows.reshape(count, indices.shape[0] // count, weight.shape[1])
    pooled = bags.sum(1) if mode == _SUM else bags.mean(1) if mode == _MEAN else bags.amax(1)
    unused = torch.zeros_like(offsets)
    return pooled, torch.zeros_like(indices), unused, unused


def _embedding_bag(
    weight: Any, indices: Any, offsets: Any, _by_frequency: bool = False, mode: int = _SUM,
    _sparse: bool = False, factors: Any = None, with_end: bool = False, padding: int = -1,
) -> Any:  # fmt: skip
    """Bag b holds indices[offsets[b] : offsets[b + 1]]; an empty bag is 0, and so is the row `padding`."""
    import torch

    starts = offsets[:-1] if with_end else offsets
    place = torch.arange(indices.shape[0], device=indices.device)
    bag = (starts[:, None] <= place[None, :]).to(torch.int64).sum(0) - 1
    if with_end:
        ends = (offsets[1:, None] > place[None, :]) & (starts[:, None] <= place[None, :])
    else:
        ends = bag[None, :] == torch.arange(starts.shape[0], device=indices.device)[:, None]
    member = ends & (indices != padding)[None, :]
    rows = weight.index_select(0, indices)
    rows = rows if factors is None else rows * factors[:, None]
    counts = member.to(weight.dtype).sum(1, keepdim=True)
    if mode in (_SUM, _MEAN):
        pooled = member.to(weight.dtype) @ rows
        pooled = pooled / counts.clamp(min=1) if mode == _MEAN else pooled
    else:
        lowest = torch.where(member[:, :, None], rows[None], float("-inf")).amax(1)
        pooled = torch.where(counts > 0, lowest, 0.0)
    unused = torch.zeros_like(bag)
    return pooled, bag, unused, unused


def _renormed(weight: Any, _indices: Any, max_norm: float, norm_type: float) -> Any:
    """PyTorch shortens only the rows that are looked up; nobody reads the others."""
    import torch

    norms = torch.linalg.vector_norm(weight, norm_type, 1, keepdim=True)
    return torch.where(norms > max_norm, weight * (max_norm / (norms + 1e-7)), weight)
