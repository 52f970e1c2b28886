"""Assignments into parts of a tensor (`x[mask] = v`, `x[[0, 2]] += y`), in terms of what TVM has.

TVM's index_put wants one whole-number index for every dimension and reads negative ones out of bounds.
"""

from __future__ import annotations

from typing import Any


def index_put(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """aten.index_put: a mask is a choice, missing indices are written out."""
    import torch

    if any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices):
        return _masked(x, indices, values, accumulate)
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    if len(axes) == x.dim() and not accumulate:
        return NotImplemented  # the form that TVM has
    if axes != list(range(axes[0], axes[-1] + 1)):
        return NotImplemented  # the picked dimensions go to the front: TVM's error names the operator
    order = axes + [axis for axis in range(x.dim()) if axis not in axes]
    moved = x.permute(order)
    picked = torch.broadcast_tensors(*(indices[axis] for axis in axes))
    rank, rest = picked[0].dim(), moved.shape[len(axes) :]
    spread = values.expand([*x.shape[: axes[0]], *picked[0].shape, *x.shape[axes[-1] + 1 :]])
    spread = spread.movedim(tuple(range(axes[0], axes[0] + rank)), tuple(range(rank)))
    pairs = zip(picked, moved.shape, strict=False)
    whole = [_counted(index, size).reshape([*index.shape, *[1] * len(rest)]) for index, size in pairs]
    for place, size in enumerate(rest):
        ones = [1] * (rank + len(rest))
        ones[rank + place] = size
        whole.append(torch.arange(size, device=x.device).reshape(ones))
    whole = [index.expand(spread.shape) for index in whole]
    done = (
        _added(moved, whole, spread) if accumulate else torch.ops.aten.index_put.default(moved, whole, spread)
    )
    return done.permute([order.index(axis) for axis in range(x.dim())])


def _added(x: Any, indices: Any, values: Any) -> Any:
    """`x` and, at each place that the indices name, all values that are meant for it."""
    place = indices[0]
    for index, size in zip(indices[1:], x.shape[1:], strict=True):
        place = place * size + index
    return x.reshape(-1).scatter_add(0, place.reshape(-1), values.reshape(-1)).reshape(x.shape)


def _masked(x: Any, indices: Any, values: Any, accumulate: bool) -> Any:
    """One number where a mask over the first dimensions holds."""
    import torch

    mask = indices[0]
    if len(indices) != 1 or not isinstance(values.numel(), int) or values.numel() != 1:
        return NotImplemented
    mask = mask.bool().reshape([*mask.shape, *[1] * (x.dim() - mask.dim())])
    value = values.reshape([])
    return torch.where(mask, x + value if accumulate else value.to(x.dtype), x)


def _counted(index: Any, size: Any) -> Any:
    import torch

    return torch.where(index < 0, index + size, index).to(torch.int64)
