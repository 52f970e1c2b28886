"""Running maxima and sums of exponentials along an axis: at each place a reduction of what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """cummax, cummin, logcumsumexp; and kthvalue, which is one place of a sorted axis."""
    import torch

    aten = torch.ops.aten
    return {
        aten.cummax.default: lambda x, dim: _extremes(x, dim, largest=True),
        aten.cummin.default: lambda x, dim: _extremes(x, dim, largest=False),
        aten.logcumsumexp.default: _log_sums,
        aten.kthvalue.default: _kth,
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
    same = (rows.unsqueeze(-2) == values.unsqueeze(-1)) & seen
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


def _kth(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    values, positions = x.sort(dim)
    picked = [each.narrow(dim, k - 1, 1) for each in (values, positions)]
    return tuple(each if keepdim else each.squeeze(dim) for each in picked)
