"""Inverses and systems of equations without PyTorch's check of how they went, which raises an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """linalg.inv and solve in their unchecked forms, slogdet by the determinant."""
    import torch

    aten = torch.ops.aten
    return {
        aten.linalg_inv.default: lambda a: aten.linalg_inv_ex.default(a)[0],
        aten.inverse.default: lambda a: aten.linalg_inv_ex.default(a)[0],
        aten.linalg_solve.default: lambda a, b, left=True: _solve(a, b, left),
        aten._linalg_slogdet.default: _slogdet,
    }


def _solve(a: Any, b: Any, left: bool) -> Any:
    """x a = b is aᵀ xᵀ = bᵀ."""
    import torch

    solve = torch.ops.aten._linalg_solve_ex.default
    vector = b.dim() == 1 or (b.dim() == a.dim() - 1 and b.shape == a.shape[:-1])
    if left or vector:
        return solve(a, b)[0]
    return solve(a.transpose(-1, -2).contiguous(), b.transpose(-1, -2).contiguous())[0].transpose(-1, -2)


def _slogdet(a: Any) -> Any:
    import torch

    value = torch.ops.aten._linalg_det.default(a)[0]
    return value.sign(), value.abs().log(), a, a
