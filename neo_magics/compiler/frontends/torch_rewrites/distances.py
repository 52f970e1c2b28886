"""Distances and norms with exponents that TVM lacks or divides by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """torch.cdist, F.pdist, torch.linalg.vector_norm."""
    import torch

    aten = torch.ops.aten
    return {
        aten._cdist_forward.default: _cdist,
        aten._pdist_forward.default: _pdist,
        aten.linalg_vector_norm.default: _vector_norm,
    }


def _cdist(a: Any, b: Any, p: float, mode: Any = None) -> Any:  # noqa: ARG001  the operator's signature
    return _length((a.unsqueeze(-2) - b.unsqueeze(-3)).abs(), p)


def _pdist(x: Any, p: float = 2.0) -> Any:
    """The distances of all pairs of rows, the first of a pair above the second."""
    import torch

    count = x.shape[0]
    first = torch.cat([torch.full((count - 1 - row,), row) for row in range(count - 1)])
    second = torch.cat([torch.arange(row + 1, count) for row in range(count - 1)])
    return _length((x.index_select(0, first) - x.index_select(0, second)).abs(), p)


def _length(apart: Any, p: float) -> Any:
    if p == 0:
        return (apart != 0).to(apart.dtype).sum(-1)
    if p == 1:
        return apart.sum(-1)
    if p == 2:
        return (apart * apart).sum(-1).sqrt()
    return apart.amax(-1) if math.isinf(p) else (apart**p).sum(-1) ** (1 / p)


def _vector_norm(
    x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:  # fmt: skip
    """TVM: divides by the exponent 0, and takes the largest for minus infinity."""
    if ord not in (0, -math.inf):
        return NotImplemented
    x = x if dtype is None else x.to(dtype)
    axes = list(range(x.dim())) if dim is None else dim
    return x.abs().amin(axes, keepdim) if ord else (x != 0).to(x.dtype).sum(axes, keepdim)
