"""Pooling that TVM lacks: uneven windows, positions of the maxima, a divisor of one's own."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """Adaptive maxima, and averages with a divisor."""
    import torch

    aten = torch.ops.aten
    return {
        aten.adaptive_max_pool2d.default: _adaptive_max,
        aten.adaptive_max_pool3d.default: _adaptive_max,
        aten.avg_pool2d.default: _average,
        aten.avg_pool3d.default: _average,
    }


def with_positions(program: Any) -> dict[Any, Callable[..., Any]]:
    """Maxima with their positions, for a program that reads those; TVM counts them within the window."""
    import torch

    aten = torch.ops.aten
    pools = (aten.max_pool2d_with_indices.default, aten.max_pool3d_with_indices.default)
    adaptive = (aten.adaptive_max_pool2d.default, aten.adaptive_max_pool3d.default)
    found: dict[Any, Callable[..., Any]] = {}
    for node in program.graph.nodes:
        if node.target in (*pools, *adaptive) and _reads_positions(node):
            found.update(dict.fromkeys(pools, _max_with_positions))
            found.update(dict.fromkeys(adaptive, _adaptive_with_positions))
    return found


def _reads_positions(node: Any) -> bool:
    return any(
        user.target is operator.getitem and user.args[1] == 1 and user.users for user in node.users
    )  # fmt: skip


def _adaptive_max(x: Any, output_size: Any) -> Any:
    """Where the windows are all alike it is a plain pooling."""
    import torch

    sizes = x.shape[-len(output_size) :]
    if any(size % count for size, count in zip(sizes, output_size, strict=True)):
        return _adaptive_with_positions(x, output_size)
    kernel = [size // count for size, count in zip(sizes, output_size, strict=True)]
    name = f"max_pool{len(kernel)}d_with_indices"
    return getattr(torch.ops.aten, name).default(x, kernel, kernel)


def _adaptive_with_positions(x: Any, output_size: Any) -> Any:
    """Window i of n over a size goes from ⌊i · size / n⌋ to ⌈(i + 1) · size / n⌉."""
    import torch

    places = []
    for size, count in zip(x.shape[-len(output_size) :], output_size, strict=True):
        index = torch.arange(count)
        first, last = index * size // count, ((index + 1) * size + count - 1) // count - 1
        longest = max(-(-(i + 1) * size // count) - i * size // count for i in range(count))
        places.append(torch.minimum(first[:, None] + torch.arange(longest)[None, :], last[:, None]))
    return _maxima(x, places, [None] * len(places))


def _max_with_positions(
    x: Any, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil: bool = False
) -> Any:
    import torch

    rank = 3 if x.dim() == 5 or (isinstance(kernel, Sequence) and len(kernel) == 3) else 2
    kernel, padding, dilation = (_each(value, rank) for value in (kernel, padding, dilation))
    stride = _each(stride, rank) if stride else kernel
    places, inside = [], []
    for size, width, step, pad, wide in zip(x.shape[-rank:], kernel, stride, padding, dilation, strict=True):
        count = _count(size, wide * (width - 1) + 1, step, pad, ceil)
        place = torch.arange(count)[:, None] * step - pad + torch.arange(width)[None, :] * wide
        places.append(place.clamp(0, size - 1))
        inside.append((place >= 0) & (place < size))
    return _maxima(x, places, inside)


def _maxima(x: Any, places: Sequence[Any], inside: Sequence[Any]) -> Any:
    """(maxima, their places in the flattened image); `places` are (windows, elements) along each axis."""
    import torch

    rank, sizes = len(places), x.shape[-len(places) :]
    count = [place.shape[0] for place in places]
    flat, within = torch.zeros([1] * (2 * rank), dtype=torch.int64), None
    for axis, (place, known) in enumerate(zip(places, inside, strict=True)):
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = place.shape
        flat = flat * sizes[axis] + place.reshape(shape)
        if known is not None:
            within = known.reshape(shape) if within is None else within & known.reshape(shape)
    flat = flat.reshape(*count, -1)
    windows = x.flatten(-rank).index_select(-1, flat.reshape(-1)).reshape(*x.shape[:-rank], *flat.shape)
    if within is not None:
        windows = torch.where(within.reshape(flat.shape), windows, float("-inf"))
    best = windows.argmax(-1, keepdim=True)
    places_of = flat.expand(windows.shape).gather(-1, best).squeeze(-1)
    return windows.amax(-1), places_of


def _average(
    x: Any, kernel: Any, stride: Any = (), padding: Any = 0, ceil: bool = False,
    count_include_pad: bool = True,  # noqa: ARG001  the divisor overrides it
    divisor: int | None = None,
) -> Any:  # fmt: skip
    """TVM forgets the divisor: windows of one size, of an image with zeros around, averaged and scaled."""
    import torch
    from torch.nn import functional

    if divisor is None:
        return NotImplemented
    rank = len(kernel) if isinstance(kernel, Sequence) and len(kernel) > 1 else x.dim() - 2
    kernel, padding = _each(kernel, rank), _each(padding, rank)
    stride = _each(stride, rank) if stride else kernel
    edges: list[int] = []
    for size, width, step, pad in reversed(
        list(zip(x.shape[-rank:], kernel, stride, padding, strict=True))
    ):  # fmt: skip
        after = (_count(size, width, step, pad, ceil) - 1) * step + width - size - pad
        edges += [pad, max(after, 0)]
    area = 1
    for width in kernel:
        area *= width
    pool = getattr(torch.ops.aten, f"avg_pool{rank}d").default
    return pool(functional.pad(x, edges), kernel, stride) * (area / divisor)


def _count(size: int, width: int, step: int, pad: int, ceil: bool) -> int:
    """How many windows there are; none starts beyond the image and its padding on the left."""
    count = (size + 2 * pad - width + (step - 1 if ceil else 0)) // step + 1
    return count - 1 if ceil and (count - 1) * step >= size + pad else count


def _each(value: Any, rank: int) -> list[int]:
    numbers = list(value) if isinstance(value, Sequence) else [value]
    return numbers * rank if len(numbers) == 1 else numbers
