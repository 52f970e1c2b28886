"""Running sums of exponentials along an axis: at each place a reduction of what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """cummax and cummin of a number, logcumsumexp."""
    import torch

    aten = torch.ops.aten
    return {
        aten.cummax.default: _extremes,
        aten.cummin.default: _extremes,
        aten.logcumsumexp.default: _log_sums,
    }


def _extremes(x: Any, dim: int) -> Any:  # noqa: ARG001  the operator's signature
    """Of a number itself; of more they are converted whole."""
    import torch

    return NotImplemented if x.dim() else (x.clone(), torch.zeros_like(x, dtype=torch.int64))


def _log_sums(x: Any, dim: int) -> Any:
    import torch

    if x.dim() == 0:
        return x.clone()
    rows = x.movedim(dim, -1)
    length = rows.shape[-1]
    seen = torch.arange(length)[None, :] <= torch.arange(length)[:, None]
    return torch.where(seen, rows.unsqueeze(-2), float("-inf")).logsumexp(-1).movedim(-1, dim)
