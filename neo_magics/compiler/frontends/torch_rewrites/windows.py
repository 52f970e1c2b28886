"""Pooling that TVM lacks: uneven windows, positions of the maxima, a divisor of one's own, windows rounded up
over free sizes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from neo_magics.compiler.frontends.ceil_windows import padding_after


def rewrites() -> dict[Any, Callable[..., Any]]:
    """Adaptive maxima, averages with a divisor, and what rounds the number of windows up."""
    import torch

    aten = torch.ops.aten
    return {
        aten.adaptive_max_pool2d.default: _adaptive_max,
        aten.adaptive_max_pool3d.default: _adaptive_max,
        aten.avg_pool2d.default: _average,
        aten.avg_pool3d.default: _average,
        aten.max_pool2d_with_indices.default: _max_rounded_up,
        aten.max_pool3d_with_indices.default: _max_rounded_up,
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
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Any:  # fmt: skip
    """TVM forgets the divisor: windows of one size, of an image with zeros around, averaged and scaled."""
    import torch
    from torch.nn import functional

    if divisor is None:
        return _average_rounded_up(x, kernel, stride, padding, ceil, count_include_pad)
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


def _max_rounded_up(
    x: Any, kernel: Any, stride: Any = (), padding: Any = 0, dilation: Any = 1, ceil: bool = False
) -> Any:
    """PyTorch's own size of it holds for images like the example only, so what follows is computed anew."""
    import torch
    from torch.nn import functional

    edges = _edges(x, kernel, stride, padding, dilation) if ceil else None
    if edges is None:
        return NotImplemented
    pool = getattr(torch.ops.aten, f"max_pool{len(edges) // 2}d_with_indices").default
    return pool(functional.pad(x, edges, value=float("-inf")), kernel, stride, 0, dilation)


def _average_rounded_up(x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, counts: bool) -> Any:
    """The same of a mean: of sums of what is there by sums of ones where elements count."""
    import torch
    from torch.nn import functional

    edges = _edges(x, kernel, stride, padding, 1) if ceil else None
    if edges is None:
        return NotImplemented
    rank = len(edges) // 2
    pool = getattr(torch.ops.aten, f"avg_pool{rank}d").default
    around = [size for size in reversed(_each(padding, rank)) for _end in range(2)]
    beyond = [edge - own for edge, own in zip(edges, around, strict=True)]

    def sums(values: Any, border: float) -> Any:
        inside = functional.pad(values, around, value=border)
        return pool(functional.pad(inside, beyond), kernel, stride)

    return sums(x, 0.0) / sums(torch.ones_like(x), float(counts))


def _edges(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> list[int] | None:
    """What to put around images of free size, last axis first; None where no window is left out."""
    import torch

    rank = len(kernel) if isinstance(kernel, Sequence) and len(kernel) > 1 else x.dim() - 2
    kernel, padding, dilation = (_each(value, rank) for value in (kernel, padding, dilation))
    stride = _each(stride, rank) if stride else kernel
    after = padding_after(kernel, stride, dilation, padding)
    most = [p + s - 1 for p, s in zip(padding, stride, strict=True)]
    free = any(isinstance(size, torch.SymInt) for size in x.shape[-rank:])
    if not free or after == most:
        return None
    return [size for pair in reversed(list(zip(padding, after, strict=True))) for size in pair]


def _count(size: int, width: int, step: int, pad: int, ceil: bool) -> int:
    """How many windows there are; none starts beyond the image and its padding on the left."""
    count = (size + 2 * pad - width + (step - 1 if ceil else 0)) // step + 1
    return count - 1 if ceil and (count - 1) * step >= size + pad else count


def _each(value: Any, rank: int) -> list[int]:
    numbers = list(value) if isinstance(value, Sequence) else [value]
    return numbers * rank if len(numbers) == 1 else numbers
