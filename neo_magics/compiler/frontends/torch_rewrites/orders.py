"""Places in an order: medians and the k-th element, of which a NaN is the largest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """median and nanmedian with and without an axis, kthvalue, the stable sort; orders of narrow numbers."""
    import torch

    aten = torch.ops.aten
    return {
        aten.amax.default: lambda x, dim=(), keepdim=False: _of_truths(x, "amax", dim, keepdim),
        aten.amin.default: lambda x, dim=(), keepdim=False: _of_truths(x, "amin", dim, keepdim),
        aten.sort.default: _sort,
        aten.topk.default: _topk,
        aten.median.default: lambda x: _median(x.reshape(-1), 0)[0],
        aten.median.dim: _median,
        aten.nanmedian.default: lambda x: _nanmedian(x.reshape(-1), 0)[0],
        aten.nanmedian.dim: _nanmedian,
        aten.kthvalue.default: _kth,
        aten.sort.stable: _stable_sort,
    }


def _stable_sort(x: Any, *, stable: Any = None, dim: int = -1, descending: bool = False) -> Any:  # noqa: ARG001
    """Ours is always stable."""
    import torch

    return torch.ops.aten.sort.default(x, dim, descending)


def _sort(x: Any, dim: int = -1, descending: bool = False) -> Any:
    """TVM: sorts no numbers of 8 and 16 bits, and says so when the model runs."""
    import torch

    if x.dtype not in _narrow():
        return NotImplemented
    values, positions = torch.ops.aten.sort.default(x.to(torch.int32), dim, descending)
    return values.to(x.dtype), positions


def _topk(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    import torch

    if x.dtype not in _narrow():
        return NotImplemented
    values, positions = torch.ops.aten.topk.default(x.to(torch.int32), k, dim, largest, sorted)
    return values.to(x.dtype), positions


def _of_truths(x: Any, kind: str, dim: Any, keepdim: bool) -> Any:
    """TVM: knows no largest truth."""
    import torch

    if x.dtype != torch.bool:
        return NotImplemented
    return getattr(x.to(torch.uint8), kind)(dim, keepdim).to(torch.bool)


def _narrow() -> tuple[Any, ...]:
    import torch

    return (torch.bool, torch.int8, torch.uint8, torch.int16)


def _median(x: Any, dim: int, keepdim: bool = False) -> Any:
    """The lower one of two in the middle; NaN where there is one. TVM: takes NaN for any number."""
    import torch

    if x.dim() == 0:
        return x.clone(), torch.zeros_like(x, dtype=torch.int64)
    values, positions = x.sort(dim)
    middle = (x.shape[dim] - 1) // 2
    value, position = (each.narrow(dim, middle, 1) for each in (values, positions))
    if x.is_floating_point():
        missing = x.isnan().to(torch.int8).amax(dim, keepdim=True) > 0
        value = torch.where(missing, float("nan"), value)
        position = torch.where(missing, x.argmax(dim, keepdim=True), position)
    return _shaped(value, dim, keepdim), _shaped(position, dim, keepdim)


def _nanmedian(x: Any, dim: int, keepdim: bool = False) -> Any:
    """The median of what is no NaN."""
    import torch

    if x.dim() == 0 or not x.is_floating_point():
        return _median(x, dim, keepdim)
    values, positions = x.sort(dim)
    count = (~x.isnan()).to(torch.int64).sum(dim, keepdim=True)
    middle = (count - 1).clamp(min=0) // 2
    return tuple(_shaped(each.gather(dim, middle), dim, keepdim) for each in (values, positions))


def _kth(x: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    values, positions = x.sort(dim)
    return tuple(_shaped(each.narrow(dim, k - 1, 1), dim, keepdim) for each in (values, positions))


def _shaped(x: Any, dim: int, keepdim: bool) -> Any:
    return x if keepdim else x.squeeze(dim)
