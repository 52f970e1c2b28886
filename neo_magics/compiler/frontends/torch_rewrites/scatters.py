"""Writing to many places at once, several values to one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_NEUTRAL = {"sum": 0, "mean": 0, "prod": 1}


def rewrites() -> dict[Any, Callable[..., Any]]:
    """index_add, scatter_reduce, index_reduce, put, masked_scatter, histograms of whole numbers."""
    import torch

    aten = torch.ops.aten
    return {
        aten.index_add.default: _index_add,
        aten.scatter_reduce.two: _scatter_reduce,
        aten.index_reduce.default: _index_reduce,
        aten.diagonal_scatter.default: _diagonal_scatter,
        aten.put.default: _put,
        aten.masked_scatter.default: _masked_scatter,
    }


def _index_add(x: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """Whole rows, of which passes.lower_scatters knows; PyTorch's own has a place for every element."""
    import torch

    if x.dim() == 0:
        return _index_add(x.reshape(1), 0, index, source.reshape(-1), alpha=alpha).reshape(())
    if x.dtype == torch.bool:
        whole = _index_add(x.to(torch.int32), dim, index, source.to(torch.int32), alpha=alpha)
        return whole.to(torch.bool)
    shape = [1] * x.dim()
    shape[dim] = -1
    places = index.reshape(shape).expand(source.shape)
    return x.scatter_add(dim, places, source if alpha == 1 else source * alpha)


def _scatter_reduce(
    x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:  # fmt: skip
    """The plain forms (prod, amax, amin with `x` included) stay: TVM has them as scatter_elements."""
    import torch

    if include_self and reduce in ("prod", "amax", "amin"):
        return NotImplemented
    if not include_self:
        lost = torch.zeros_like(x, dtype=torch.int64).scatter(dim, index, 1) > 0
        x = torch.where(lost, _neutral(x, reduce), x)
    if reduce == "mean":
        total = x.scatter_add(dim, index, source)
        first = torch.ones_like(x) if include_self else (~lost).to(x.dtype)
        count = first.scatter_add(dim, index, torch.ones_like(source)).clamp(min=1)
        return total / count if x.is_floating_point() else total.div(count, rounding_mode="floor")
    if reduce == "sum":
        return x.scatter_add(dim, index, source)
    return torch.ops.aten.scatter_reduce.two(x, dim, index, source, reduce)


def _neutral(x: Any, reduce: str) -> float:
    """What changes nothing, in numbers of `x`'s dtype."""
    import torch

    if reduce in _NEUTRAL:
        return _NEUTRAL[reduce]
    if x.is_floating_point():
        return float("-inf") if reduce == "amax" else float("inf")
    kind = torch.iinfo(x.dtype)
    return float(kind.min if reduce == "amax" else kind.max)


def _index_reduce(
    x: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:
    shape = [1] * x.dim()
    shape[dim] = -1
    spread = index.reshape(shape).expand(source.shape)
    return x.scatter_reduce(dim, spread, source, reduce, include_self=include_self)


def _diagonal_scatter(x: Any, source: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """PyTorch's own decomposition writes in place, which an exported program may not."""
    import torch

    last = x.movedim((dim1, dim2), (-2, -1))
    rows = torch.arange(last.shape[-2])[:, None]
    columns = torch.arange(last.shape[-1])[None, :]
    place = (rows if offset >= 0 else columns).expand(last.shape[-2:])
    picked = source.index_select(-1, place.reshape(-1).clamp(max=source.shape[-1] - 1))
    spread = picked.reshape(*source.shape[:-1], *place.shape)
    return torch.where(columns - rows == offset, spread, last).movedim((-2, -1), (dim1, dim2))


def _put(x: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """Places in the flattened tensor."""
    import torch

    size = x.numel()
    place = torch.where(index < 0, index + size, index).reshape(-1)
    flat, values = x.reshape(-1), source.reshape(-1)
    done = flat.scatter_add(0, place, values) if accumulate else flat.scatter(0, place, values)
    return done.reshape(x.shape)


def _masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    """The places where `mask` holds take the elements of `source` in order."""
    import torch

    mask = mask.expand(x.shape)
    place = mask.reshape(-1).to(torch.int64).cumsum(0) - 1
    picked = source.reshape(-1).index_select(0, place.clamp(min=0))
    return torch.where(mask, picked.reshape(x.shape), x)
