"""Running maxima and sums of exponentials along an axis: at each place a reduction of what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """cummax, cummin, logcumsumexp."""
    import torch

    aten = torch.ops.aten
    return {
        aten.cummax.default: lambda x, dim: _extremes(x, dim, largest=True),
        aten.cummin.default: lambda x, dim: _extremes(x, dim, largest=False),
        aten.logcumsumexp.default: _log_sums,
    }


def _extremes(x: Any, dim: int, largest: bool) -> Any:
    """(values, positions); of equal values the last one counts."""
    import torch

    if x.dim() == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    rows = x.movedim(dim, -1)
    length = rows.shape[-1]
    worst = _lowest(x.dtype) if largest else _highest(x.dtype)
    seen = torch.arange(length)[None, :] <= torch.arange(length)[:, None]
    spread = torch.where(seen, rows.unsqueeze(-2), worst)
    values = spread.amax(-1) if largest else spread.amin(-1)
    same = rows.unsqueeze(-2) == values.unsqueeze(-1)
    if x.is_floating_point():
        same = same | (rows.isnan().unsqueeze(-2) & values.isnan().unsqueeze(-1))
    same = same & seen
    positions = torch.where(same, torch.arange(length), 0).amax(-1)
    return values.movedim(-1, dim), positions.movedim(-1, dim)


def _log_sums(x: Any, dim: int) -> Any:
    import torch

    if x.dim() == 0:
        return x.clone()
    rows = x.movedim(dim, -1)
    length = rows.shape[-1]
    seen = torch.arange(length)[None, :] <= torch.arange(length)[:, None]
    return torch.where(seen, rows.unsqueeze(-2), float("-inf")).logsumexp(-1).movedim(-1, dim)


def _lowest(dtype: Any) -> float:
    import torch

    return float("-inf") if dtype.is_floating_point else torch.iinfo(dtype).min


def _highest(dtype: Any) -> float:
    import torch

    return float("inf") if dtype.is_floating_point else torch.iinfo(dtype).max
