"""Operators that step over memory: strided views, and transposed convolutions of volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """as_strided, and the transposed convolutions that TVM lacks: of volumes, dilated or in groups."""
    import torch

    aten = torch.ops.aten
    return {aten.as_strided.default: _as_strided, aten.convolution.default: _convolution}


def _as_strided(x: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A gather from the flattened tensor. TVM: reshapes, whatever the strides are."""
    import torch

    if not x.is_contiguous():
        return NotImplemented
    place = torch.full([1] * max(len(size), 1), storage_offset or 0)
    for axis, (count, step) in enumerate(zip(size, stride, strict=True)):
        shape = [1] * len(size)
        shape[axis] = count
        place = place + (torch.arange(count) * step).reshape(shape)
    return x.reshape(-1).index_select(0, place.reshape(-1)).reshape(size)


def _convolution(  # noqa: PLR0913, PLR0917  the operator's own signature
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, extra: Any,
    groups: int,
) -> Any:  # fmt: skip
    """Of volumes: an ordinary one of data with zeros in between, by the kernel turned round."""
    import torch
    from torch.nn import functional

    rank = x.dim() - 2
    if not transposed or rank != 3 or (groups == 1 and set(dilation) == {1}):  # that TVM has
        return NotImplemented
    widths = list(zip(weight.shape[2:], stride, padding, dilation, extra, strict=True))
    for axis, (_, step, _, _, _) in enumerate(widths, 2):
        if step > 1:
            spread = functional.pad(x.unsqueeze(axis + 1), [0, 0] * (x.dim() - axis - 1) + [0, step - 1])
            x = spread.flatten(axis, axis + 1).narrow(axis, 0, (x.shape[axis] - 1) * step + 1)
    edges = []
    for size, _, pad, dilate, more in reversed(widths):
        edges += [dilate * (size - 1) - pad, dilate * (size - 1) - pad + more]
    turned = weight.flip(list(range(2, weight.dim())))
    count, out = weight.shape[0], weight.shape[1]
    turned = turned.reshape(groups, count // groups, *weight.shape[1:]).transpose(1, 2)
    turned = turned.reshape(groups * out, count // groups, *weight.shape[2:])
    x = functional.pad(x, edges)
    return torch.ops.aten.convolution.default(
        x, turned, bias, [1] * rank, [0] * rank, dilation, False, [0] * rank, groups
    )
