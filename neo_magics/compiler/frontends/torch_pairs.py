"""PyTorch's operators on complex numbers, on pairs of real tensors; transforms are products with matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LONGEST = 4096  # of a Fourier transform: its matrices hold 2 · 4096² numbers


@dataclass(frozen=True)
class Pair:
    """The real and the imaginary part, two tensors of one shape."""

    re: Any
    im: Any


def pair_of(value: Any) -> Pair:
    """`value` as a pair; a real tensor or number has no imaginary part."""
    import torch

    if isinstance(value, Pair):
        return value
    if isinstance(value, complex):
        return Pair(value.real, value.imag)
    return Pair(value, torch.zeros_like(value) if isinstance(value, torch.Tensor) else 0.0)


def _both(operator: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Operators that move numbers, or are linear with real coefficients."""
    kwargs.pop("dtype", None)
    parts = [operator(getattr(x, part), *args, **kwargs) for part in ("re", "im")]
    return _paired(*parts)


def _joined(operator: Any, parts: Any, *args: Any) -> Any:
    pairs = [pair_of(part) for part in parts]
    return Pair(operator([p.re for p in pairs], *args), operator([p.im for p in pairs], *args))


def _paired(re: Any, im: Any) -> Any:
    if isinstance(re, list | tuple):
        return [Pair(a, b) for a, b in zip(re, im, strict=True)]
    return Pair(re, im)


def _add(_operator: Any, x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    a, b = pair_of(x), pair_of(y)
    return Pair(a.re + alpha * b.re, a.im + alpha * b.im)


def _sub(_operator: Any, x: Any, y: Any, *, alpha: Any = 1) -> Pair:
    return _add(None, x, y, alpha=-alpha)


def _times(product: Callable[[Any, Any], Any], x: Any, y: Any) -> Pair:
    if not isinstance(x, Pair):
        y = pair_of(y)
        return Pair(product(x, y.re), product(x, y.im))
    if not isinstance(y, Pair | complex):
        return Pair(product(x.re, y), product(x.im, y))
    other = pair_of(y)
    return Pair(
        product(x.re, other.re) - product(x.im, other.im), product(x.re, other.im) + product(x.im, other.re)
    )


def _mul(_operator: Any, x: Any, y: Any) -> Pair:
    return _times(lambda a, b: a * b, x, y)


def _product(operator: Any, x: Any, y: Any) -> Pair:
    return _times(operator, x, y)


def _div(_operator: Any, x: Any, y: Any) -> Pair:
    if not isinstance(y, Pair | complex):
        return Pair(x.re / y, x.im / y)
    other = pair_of(y)
    size = other.re * other.re + other.im * other.im
    over = _mul(None, x, Pair(other.re, -other.im))
    return Pair(over.re / size, over.im / size)


def _exp(_operator: Any, x: Pair) -> Pair:
    size = x.re.exp()
    return Pair(size * x.im.cos(), size * x.im.sin())


def _polar(_operator: Any, size: Any, angle: Any) -> Pair:
    return Pair(size * angle.cos(), size * angle.sin())


def _abs(_operator: Any, x: Pair) -> Any:
    """Without the overflow and the loss of digits of the plain sum of squares."""
    import torch

    a, b = x.re.abs(), x.im.abs()
    largest, least = torch.maximum(a, b), torch.minimum(a, b)
    ratio = least / torch.where(largest == 0, 1.0, largest)
    return largest * (1 + ratio * ratio).sqrt()


def _angle(_operator: Any, x: Pair) -> Any:
    import torch

    return torch.atan2(x.im, x.re)


def _conj(_operator: Any, x: Pair) -> Pair:
    return Pair(x.re, -x.im)


def _as_complex(_operator: Any, x: Any) -> Pair:
    return Pair(x[..., 0], x[..., 1])


def _as_real(_operator: Any, x: Pair) -> Any:
    import torch

    return torch.stack([x.re, x.im], -1)


def _copied(_operator: Any, x: Any, **options: Any) -> Any:
    """A cast: to complex numbers of another width, from real ones, or back, which drops the second part."""
    import torch

    dtype = options.get("dtype")
    if dtype is None:
        return x
    if not dtype.is_complex:
        return x.re.to(dtype)
    real = torch.float64 if dtype == torch.complex128 else torch.float32
    pair = pair_of(x)
    return Pair(pair.re.to(real), pair.im.to(real))


def _where(operator: Any, condition: Any, x: Any, y: Any) -> Pair:
    a, b = pair_of(x), pair_of(y)
    return Pair(operator(condition, a.re, b.re), operator(condition, a.im, b.im))


def _full(_operator: Any, size: Any, value: Any, **options: Any) -> Pair:
    import torch

    number = complex(value)
    real = torch.float64 if options.get("dtype") == torch.complex128 else torch.float32
    return Pair(torch.full(size, number.real, dtype=real), torch.full(size, number.imag, dtype=real))


def _waves(count: int, results: int, like: Any) -> tuple[Any, Any]:
    """cos and sin of 2π · j · k / count: [count, results]."""
    import torch

    turns = torch.outer(torch.arange(count), torch.arange(results)) % count
    angle = turns.to(torch.float64) * (2 * math.pi / count)
    return angle.cos().to(like.dtype), angle.sin().to(like.dtype)


def _length(x: Any, axis: int) -> int:
    count = x.shape[axis]
    if not isinstance(count, int) or count > LONGEST:
        raise NotImplementedError(f"a Fourier transform of a free length, or of more than {LONGEST} numbers")
    return count


def _scale(norm: int, count: int) -> float:
    return (1.0, 1.0 / math.sqrt(count), 1.0 / count)[norm]


def _along(axis: int, x: Any, matrix: Any) -> Any:
    return (x.movedim(axis, -1) @ matrix).movedim(-1, axis)


def _from_real(_operator: Any, x: Any, dims: Any, norm: int, onesided: bool) -> Pair:
    """aten._fft_r2c: the last of `dims` from real numbers, the others from what comes out."""
    axis = dims[-1]
    count = _length(x, axis)
    cos, sin = _waves(count, count // 2 + 1 if onesided else count, x)
    factor = _scale(norm, count)
    found = Pair(_along(axis, x, cos * factor), _along(axis, x, sin * -factor))
    return _complex_transform(None, found, dims[:-1], norm, True)


def _complex_transform(_operator: Any, x: Pair, dims: Any, norm: int, forward: bool) -> Pair:
    """aten._fft_c2c."""
    for axis in dims:
        count = _length(x.re, axis)
        cos, sin = _waves(count, count, x.re)
        factor = _scale(norm, count)
        cos, sin = cos * factor, sin * (-factor if forward else factor)
        re, im = x.re, x.im
        x = Pair(_along(axis, re, cos) - _along(axis, im, sin), _along(axis, re, sin) + _along(axis, im, cos))
    return x


def _to_real(_operator: Any, x: Pair, dims: Any, norm: int, count: int) -> Any:
    """aten._fft_c2r: `count` real numbers from the first half of the frequencies, each but the ends twice."""
    import torch

    x = _complex_transform(None, x, dims[:-1], norm, False)
    if not isinstance(count, int) or count > LONGEST:
        raise NotImplementedError(f"a Fourier transform of a free length, or of more than {LONGEST} numbers")
    axis, half = dims[-1], count // 2 + 1
    cos, sin = _waves(count, half, x.re)
    twice = torch.full((half, 1), 2.0 * _scale(norm, count), dtype=x.re.dtype)
    twice[0] /= 2
    if count % 2 == 0:
        twice[-1] /= 2
    re, im = x.re.narrow(axis, 0, half), x.im.narrow(axis, 0, half)
    return _along(axis, re, cos.T * twice) - _along(axis, im, sin.T * twice)


_MOVING = (
    *("permute.default", "transpose.int", "view.default", "reshape.default", "_unsafe_view.default"),
    *("unsqueeze.default", "squeeze.dim", "squeeze.dims", "squeeze.default", "slice.Tensor", "select.int"),
    *("expand.default", "clone.default", "alias.default", "flip.default", "roll.default", "index.Tensor"),
    *("index_select.default", "gather.default", "constant_pad_nd.default", "split_with_sizes.default"),
    *("neg.default", "sum.dim_IntList", "sum.default", "mean.dim", "cumsum.default", "unbind.int"),
    *("as_strided.default", "repeat.default", "diagonal.default", "t.default", "detach.default"),
)
PAIRED: dict[str, Callable[..., Any]] = {
    **{f"aten.{name}": _both for name in _MOVING},
    **dict.fromkeys(("aten.cat.default", "aten.stack.default"), _joined),
    **dict.fromkeys(("aten.mm.default", "aten.bmm.default", "aten.matmul.default"), _product),
    "aten.add.Tensor": _add,
    "aten.sub.Tensor": _sub,
    "aten.mul.Tensor": _mul,
    "aten.mul.Scalar": _mul,
    "aten.div.Tensor": _div,
    "aten.exp.default": _exp,
    "aten.polar.default": _polar,
    "aten.complex.default": lambda _operator, re, im: Pair(re, im),
    "aten.abs.default": _abs,
    "aten.angle.default": _angle,
    "aten._conj.default": _conj,
    "aten._conj_physical.default": _conj,
    "aten.view_as_complex.default": _as_complex,
    "aten.view_as_real.default": _as_real,
    "aten.real.default": lambda _operator, x: x.re,
    "aten.imag.default": lambda _operator, x: x.im,
    "aten._to_copy.default": _copied,
    "aten.where.self": _where,
    "aten.full.default": _full,
    "aten._fft_r2c.default": _from_real,
    "aten._fft_c2c.default": _complex_transform,
    "aten._fft_c2r.default": _to_real,
    "<built-in function getitem>": lambda _operator, x, place: x[place],
}
